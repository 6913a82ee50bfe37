//! How much may wait for clients that read too slowly: the directive `client-output-buffer-limit`.

use super::settings::Setting;
use super::value::{Value, parse_memory};

/// The limits of each class of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BufferLimits {
    /// Those who are neither of the others.
    pub normal: BufferLimit,
    /// Replicas.
    pub replica: BufferLimit,
    /// Those who subscribe to something.
    pub pubsub: BufferLimit,
}

/// When a client of one class is disconnected. 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BufferLimit {
    /// At once when more bytes than these wait.
    pub hard_bytes: u64,
    /// When more bytes than these wait for so long.
    pub soft_bytes: u64,
    /// How long that is, in seconds.
    pub soft_seconds: u64,
}

impl BufferLimits {
    /// The classes in the order of Redis, by the names that it prints.
    fn named(&mut self) -> [(&'static str, &mut BufferLimit); 3] {
        [("normal", &mut self.normal), ("slave", &mut self.replica), ("pubsub", &mut self.pubsub)]
    }
}

impl Setting for BufferLimits {
    fn value(&self) -> Value {
        let mut limits = *self;
        let words = limits.named().into_iter().flat_map(|(name, limit)| {
            let numbers = [limit.hard_bytes, limit.soft_bytes, limit.soft_seconds];
            std::iter::once(name.to_owned()).chain(numbers.map(|number| number.to_string()))
        });
        Value::Words(words.collect())
    }

    /// Takes groups of four words; classes that are not named stay as they are.
    fn put(&mut self, value: Value) {
        let Value::Words(words) = value else { unreachable!("the directive takes words") };
        for group in words.chunks_exact(4) {
            let number = |index: usize| parse_memory(&group[index]).unwrap_or(u64::MAX);
            let limit = BufferLimit {
                hard_bytes: number(1),
                soft_bytes: number(2),
                soft_seconds: number(3),
            };
            for (name, own) in self.named() {
                if name == group[0] {
                    *own = limit;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_that_are_not_named_stay_as_they_are() {
        let words = |text: &str| Value::Words(text.split(' ').map(str::to_owned).collect());
        let mut limits = BufferLimits::default();
        limits.put(words("pubsub 3 2 1"));
        limits.put(words("normal 9 8 7 slave 6 5 4"));
        let pubsub = BufferLimit { hard_bytes: 3, soft_bytes: 2, soft_seconds: 1 };
        assert_eq!(limits.pubsub, pubsub);
        assert_eq!(limits.value(), words("normal 9 8 7 slave 6 5 4 pubsub 3 2 1"));
    }
}
