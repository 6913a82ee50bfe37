//! Publish and subscribe: who listens to which channel, and handing messages over to them.
//!
//! All subscribers of a channel get its messages in the same order, which is that of each publisher:
//! messages are handed over under the lock of their channel. Nobody waits for a subscriber, since
//! handing over is putting into its outbox. While nobody subscribes to anything a message costs one
//! load.

mod patterns;
mod subscriptions;

pub use subscriptions::Subscriptions;

use super::client::ClientRecord;
use super::notice::Notice;
use super::registry::SharedRecord;
use crate::glob;
use crate::hashing::hash_bytes;
use crate::limits;
use crate::protocol::{Protocol, Reply};
use indexmap::IndexMap;
use patterns::Patterns;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

/// What a client can subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A channel.
    Channel,
    /// Every channel whose name matches a glob pattern.
    Pattern,
    /// A channel of the other kind, which belongs to a node of a cluster.
    ShardChannel,
}

/// Who subscribes to one thing, by id.
type Subscribers = IndexMap<u64, SharedRecord>;

/// Who listens to what.
#[derive(Default)]
pub struct PubSub {
    channels: Channels,
    shard_channels: Channels,
    patterns: RwLock<Patterns>,
    /// Number of different channels, patterns and shard channels that somebody subscribes to.
    counts: [AtomicUsize; 3],
}

impl PubSub {
    fn count_of(&self, topic: Topic) -> &AtomicUsize {
        &self.counts[topic as usize]
    }

    /// Number of different channels, patterns or shard channels that somebody subscribes to.
    pub fn count(&self, topic: Topic) -> usize {
        self.count_of(topic).load(Ordering::SeqCst)
    }

    /// Whether anybody subscribes to a channel or a pattern.
    pub fn has_subscribers(&self) -> bool {
        self.count(Topic::Channel) + self.count(Topic::Pattern) > 0
    }

    /// Lets a client get messages. Only a command of the client itself may ask for it.
    pub fn subscribe(&self, record: &SharedRecord, topic: Topic, name: &[u8]) {
        record.listen();
        let mut own = record.subscriptions.of(topic);
        if own.contains(name) {
            return;
        }
        let name: Arc<[u8]> = name.into();
        own.insert(Arc::clone(&name));
        record.subscriptions.count_of(topic).store(own.len(), Ordering::SeqCst);
        let is_new = self.with_subscribers(topic, &name, |subscribers| {
            subscribers.insert(record.id, Arc::clone(record));
            subscribers.len() == 1
        });
        if is_new {
            self.count_of(topic).fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Lets a client get messages no more.
    pub fn unsubscribe(&self, record: &ClientRecord, topic: Topic, name: &[u8]) {
        let mut own = record.subscriptions.of(topic);
        if own.swap_remove(name) {
            record.subscriptions.count_of(topic).store(own.len(), Ordering::SeqCst);
            self.remove(record.id, topic, name);
        }
    }

    /// Ends all subscriptions of a client.
    pub fn leave(&self, record: &ClientRecord) {
        for topic in [Topic::Channel, Topic::Pattern, Topic::ShardChannel] {
            if record.subscriptions.count(topic) == 0 {
                continue;
            }
            let mut own = record.subscriptions.of(topic);
            for name in own.drain(..) {
                self.remove(record.id, topic, &name);
            }
            record.subscriptions.count_of(topic).store(0, Ordering::SeqCst);
        }
    }

    fn remove(&self, id: u64, topic: Topic, name: &[u8]) {
        let is_last = self.with_subscribers(topic, name, |subscribers| {
            subscribers.swap_remove(&id);
            subscribers.is_empty()
        });
        if is_last {
            self.count_of(topic).fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Changes who subscribes to something; what nobody subscribes to is forgotten.
    fn with_subscribers<R>(
        &self,
        topic: Topic,
        name: &[u8],
        change: impl FnOnce(&mut Subscribers) -> R,
    ) -> R {
        match topic {
            Topic::Channel => self.channels.change(name, change),
            Topic::ShardChannel => self.shard_channels.change(name, change),
            Topic::Pattern => {
                let mut patterns = self.patterns.write().expect("subscribing does not panic");
                patterns.change(name, change)
            }
        }
    }

    /// Hands a message over to everyone who subscribes to its channel, or to a pattern that matches
    /// it, by `deliver`, which is not to wait; it says whether the client is there. How often the
    /// message was handed over.
    pub fn publish(
        &self,
        channel: &[u8],
        message: &[u8],
        mut deliver: impl FnMut(&SharedRecord, &Notice) -> bool,
    ) -> usize {
        let (channels, patterns) = (self.count(Topic::Channel), self.count(Topic::Pattern));
        if channels == 0 && patterns == 0 {
            return 0;
        }
        // Held to the end: those who get it by a pattern see the same order as the others.
        let shard = self.channels.shard(channel);
        let mut receivers = 0;
        if let Some(subscribers) = shard.get(channel) {
            receivers += hand_over(subscribers, &[b"message", channel, message], &mut deliver);
        }
        if patterns > 0 {
            let patterns = self.patterns.read().expect("subscribing does not panic");
            patterns.for_each_match(channel, |pattern, subscribers| {
                let parts = [b"pmessage", pattern, channel, message];
                receivers += hand_over(subscribers, &parts, &mut deliver);
            });
        }
        receivers
    }

    /// Hands a message over to everyone who subscribes to this shard channel, as
    /// [`publish`](Self::publish) does.
    pub fn publish_shard(
        &self,
        channel: &[u8],
        message: &[u8],
        mut deliver: impl FnMut(&SharedRecord, &Notice) -> bool,
    ) -> usize {
        if self.count(Topic::ShardChannel) == 0 {
            return 0;
        }
        let shard = self.shard_channels.shard(channel);
        shard.get(channel).map_or(0, |subscribers| {
            hand_over(subscribers, &[b"smessage", channel, message], &mut deliver)
        })
    }

    /// The names of all channels, or shard channels, that somebody subscribes to and that match.
    pub fn names(&self, topic: Topic, pattern: Option<&[u8]>) -> Vec<Arc<[u8]>> {
        let channels = self.of_channels(topic);
        let mut names = Vec::new();
        for shard in &channels.shards {
            let shard = shard.lock().expect("subscribing does not panic");
            let fits =
                |name: &&Arc<[u8]>| pattern.is_none_or(|pattern| glob::matches(pattern, name));
            names.extend(shard.keys().filter(fits).cloned());
        }
        names
    }

    /// How many clients subscribe to this very channel, or shard channel.
    pub fn subscriber_count(&self, topic: Topic, name: &[u8]) -> usize {
        self.of_channels(topic).shard(name).get(name).map_or(0, Subscribers::len)
    }

    fn of_channels(&self, topic: Topic) -> &Channels {
        match topic {
            Topic::ShardChannel => &self.shard_channels,
            _ => &self.channels,
        }
    }
}

/// Hands one message over to each subscriber, formatted once; to how many.
fn hand_over(
    subscribers: &Subscribers,
    parts: &[&[u8]],
    deliver: &mut impl FnMut(&SharedRecord, &Notice) -> bool,
) -> usize {
    let parts = parts.iter().map(|part| Reply::bulk(*part)).collect();
    let notice = Notice::push(parts, Protocol::Resp2);
    subscribers.values().filter(|record| deliver(record, &notice)).count()
}

/// Channels with their subscribers, spread among locks by name.
struct Channels {
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
}

type Shard = HashMap<Arc<[u8]>, Subscribers>;

impl Default for Channels {
    fn default() -> Self {
        let shards = (0..1 << limits::TOPIC_SHARD_BITS).map(|_| Mutex::default()).collect();
        Self { hasher: RandomState::new(), shards }
    }
}

impl Channels {
    fn shard(&self, name: &[u8]) -> MutexGuard<'_, Shard> {
        // The upper bits: the tables of the shards hash by other keys anyway.
        let index = hash_bytes(&self.hasher, name) >> (u64::BITS - limits::TOPIC_SHARD_BITS);
        self.shards[index as usize].lock().expect("subscribing does not panic")
    }

    fn change<R>(&self, name: &[u8], change: impl FnOnce(&mut Subscribers) -> R) -> R {
        let mut shard = self.shard(name);
        if let Some(subscribers) = shard.get_mut(name) {
            let result = change(subscribers);
            if subscribers.is_empty() {
                shard.remove(name);
            }
            return result;
        }
        let mut subscribers = Subscribers::default();
        let result = change(&mut subscribers);
        if !subscribers.is_empty() {
            shard.insert(name.into(), subscribers);
        }
        result
    }
}
