//! From the words of other process managers to those of an ecosystem file.
//!
//! Pure: text goes in; apps come out, and everything that could not be translated, by its line.

pub mod pm2;
