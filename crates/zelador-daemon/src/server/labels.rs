//! The labels of a metric, made once for all metrics of the same thing.
//!
//! A family of metrics looks its labels up three times for each value that is put into it, and keeps a copy.
//! Always holds: labels that say the same are equal, whoever made them.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};

/// Names and values, in the order in which they are told.
#[derive(Clone, Debug)]
pub struct Labels {
    pairs: Arc<Vec<(&'static str, String)>>,
    /// Of the pairs.
    hash: u64,
}

impl Labels {
    /// Returns these labels.
    pub fn new(pairs: Vec<(&'static str, String)>) -> Self {
        let mut hasher = DefaultHasher::new();
        pairs.hash(&mut hasher);
        Self { pairs: Arc::new(pairs), hash: hasher.finish() }
    }

    /// Returns these and one more.
    pub fn and(&self, name: &'static str, value: String) -> Self {
        Self::new(self.pairs.iter().cloned().chain([(name, value)]).collect())
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && (Arc::ptr_eq(&self.pairs, &other.pairs) || self.pairs == other.pairs)
    }
}

impl Eq for Labels {}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        self.pairs.encode(encoder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_say_the_same_are_equal_and_no_others() {
        let labels = |app: &str| Labels::new(vec![("app", app.to_owned())]);
        assert_eq!(labels("a"), labels("a"));
        assert_ne!(labels("a"), labels("b"));
        assert_ne!(labels("a"), labels("a").and("metric", "m".to_owned()));
        assert_eq!(
            labels("a").and("metric", "m".to_owned()),
            Labels::new(vec![("app", "a".to_owned()), ("metric", "m".to_owned())])
        );
    }
}
