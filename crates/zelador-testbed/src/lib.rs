//! A whole zelador in a temporary home, and the real servers that its tests need.

pub mod browser;
pub mod disk;
pub mod faults;
pub mod fuzz;
pub mod home;
pub mod kernel;
pub mod machine;
pub mod mariadb;
pub mod pace;
pub mod past;
pub mod postgres;
mod process;
pub mod receiver;
pub mod redis;
pub mod server;
pub mod spent;
pub mod tls;
