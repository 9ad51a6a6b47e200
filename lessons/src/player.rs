//! A lesson being played, without I/O. [`page`] is what there is to see of it, [`orders`] what the player and its driver
//! say to each other, [`reading`] what a typed answer means; [`desk`] lets long procedures wait for the machine, [`trouble`]
//! says what can go wrong.

pub mod desk;
pub mod orders;
pub mod page;
pub mod reading;
pub mod trouble;
