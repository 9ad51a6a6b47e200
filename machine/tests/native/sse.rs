//! SSE on both.
