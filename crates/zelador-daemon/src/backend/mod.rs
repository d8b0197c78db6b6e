//! Where processes come from. Native so far: the guardian forks them.

pub mod native;
