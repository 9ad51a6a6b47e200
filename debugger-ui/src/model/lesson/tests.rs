//! The lesson in the model: orders out, answers and stops in.
