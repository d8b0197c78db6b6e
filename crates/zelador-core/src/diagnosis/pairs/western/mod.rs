//! What programs say in Portuguese, Spanish, German, French and Italian: the commonest things, and what is wrong with them.

pub(super) mod start;
pub(super) mod work;
