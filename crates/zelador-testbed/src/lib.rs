//! A whole zelador in a temporary home, and programs that misbehave on order.

pub mod mariadb;
