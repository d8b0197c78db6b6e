//! What rules say about evidence: real messages of many programs, in ordinary and in misleading company.

mod cases;
mod corpus;
mod runtimes;
mod taxonomy;
