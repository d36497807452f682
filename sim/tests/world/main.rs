//! The modelled world beyond the catalogue's scenarios: guests, nodes, disks, users and clients, each rule by its rows.

mod guest_answers;
mod io_errors;
mod lost_node;
mod member;
mod migration;
mod requests;
mod steady;
mod traffic;
