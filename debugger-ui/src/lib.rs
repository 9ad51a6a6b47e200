//! The Firstlight window: an RSP client, models without egui, views, commands.
//!
//! Data flows one way. A view draws `&Model` and pushes [`command::Command`]s; [`command::apply`] changes the model and
//! leaves what the machine must be asked in its outbox; [`session::Session`] carries that to the worker thread, which
//! speaks RSP ([`rsp`]), and brings back events that [`model::Model::absorb`] takes in. Nothing else changes the model.

pub mod app;
pub mod cli;
pub mod command;
pub mod headless;
pub mod keeper;
pub mod model;
pub mod no_window;
pub mod platform;
pub mod preferences;
pub mod rsp;
pub mod session;
pub mod ui;
pub mod view;
