//! Publish and subscribe.
//!
//! A subscription is confirmed by one push for each channel, in RESP2 an array, and so is its end.
//! Who has turned replies off gets these all the same, since they are no replies.

use super::args::Args;
use super::keys::{KeyFlags, Keys};
use super::spec::{Arity, Context, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::instance::{Notice, Topic};
use crate::protocol::{Outcome, Reply};

/// What begins or ends subscriptions.
const SUBSCRIPTION: Flags = Flags::PUBSUB
    .and(Flags::NO_SCRIPT)
    .and(Flags::LOADING)
    .and(Flags::STALE)
    .and(Flags::SUBSCRIBER);
/// What sends a message.
const PUBLICATION: Flags =
    Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE).and(Flags::FAST).and(Flags::TELLS);
/// What tells who subscribes.
const REPORT: Flags = Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE);

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "SUBSCRIBE",
        arity: Arity::at_least(2),
        handler: Handler::Client(|context, args| subscribe(context, args, Topic::Channel)),
        flags: SUBSCRIPTION,
        since: "2.0.0",
        summary: "Listens for messages published to channels.",
        syntax: "channel...",
        complexity: "O(N) where N is the number of channels to subscribe to.",
        ..Spec::REST
    },
    Spec {
        name: "UNSUBSCRIBE",
        arity: Arity::at_least(1),
        handler: Handler::Client(|context, args| unsubscribe(context, args, Topic::Channel)),
        flags: SUBSCRIPTION,
        since: "2.0.0",
        summary: "Stops listening to messages posted to channels.",
        syntax: "[channel...]",
        complexity: "O(N) where N is the number of channels to unsubscribe.",
        ..Spec::REST
    },
    Spec {
        name: "PSUBSCRIBE",
        arity: Arity::at_least(2),
        handler: Handler::Client(|context, args| subscribe(context, args, Topic::Pattern)),
        flags: SUBSCRIPTION,
        since: "2.0.0",
        summary: "Listens for messages published to channels that match one or more patterns.",
        syntax: "pattern...",
        complexity: "O(N) where N is the number of patterns to subscribe to.",
        ..Spec::REST
    },
    Spec {
        name: "PUNSUBSCRIBE",
        arity: Arity::at_least(1),
        handler: Handler::Client(|context, args| unsubscribe(context, args, Topic::Pattern)),
        flags: SUBSCRIPTION,
        since: "2.0.0",
        summary: "Stops listening to messages published to channels that match one or more patterns.",
        syntax: "[pattern...]",
        complexity: "O(N) where N is the number of patterns to unsubscribe.",
        ..Spec::REST
    },
    Spec {
        name: "PUBLISH",
        arity: Arity::exactly(3),
        handler: Handler::Client(publish),
        flags: PUBLICATION,
        since: "2.0.0",
        summary: "Posts a message to a channel.",
        syntax: "channel message",
        complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is \
                     the total number of subscribed patterns (by any client).",
        ..Spec::REST
    },
    Spec {
        name: "PUBSUB",
        arity: Arity::at_least(2),
        handler: Handler::Container,
        since: "2.8.0",
        summary: "A container for Pub/Sub commands.",
        complexity: "Depends on subcommand.",
        subcommands: SUBCOMMANDS,
        ..Spec::REST
    },
    Spec {
        name: "SSUBSCRIBE",
        arity: Arity::at_least(2),
        keys: Keys::range(1, -1, 1, KeyFlags::NOT_KEY),
        handler: Handler::Client(|context, args| subscribe(context, args, Topic::ShardChannel)),
        flags: SUBSCRIPTION,
        since: "7.0.0",
        summary: "Listens for messages published to shard channels.",
        syntax: "shardchannel...",
        complexity: "O(N) where N is the number of shard channels to subscribe to.",
        ..Spec::REST
    },
    Spec {
        name: "SUNSUBSCRIBE",
        arity: Arity::at_least(1),
        keys: Keys::range(1, -1, 1, KeyFlags::NOT_KEY),
        handler: Handler::Client(|context, args| unsubscribe(context, args, Topic::ShardChannel)),
        flags: SUBSCRIPTION,
        since: "7.0.0",
        summary: "Stops listening to messages posted to shard channels.",
        syntax: "[shardchannel...]",
        complexity: "O(N) where N is the number of shard channels to unsubscribe.",
        ..Spec::REST
    },
    Spec {
        name: "SPUBLISH",
        arity: Arity::exactly(3),
        keys: Keys::one(1, KeyFlags::NOT_KEY),
        handler: Handler::Client(spublish),
        flags: PUBLICATION,
        since: "7.0.0",
        summary: "Post a message to a shard channel",
        syntax: "shardchannel message",
        complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
        ..Spec::REST
    },
];

const SUBCOMMANDS: &[Spec] = &[
    Spec {
        name: "CHANNELS",
        arity: Arity::at_least(2),
        handler: Handler::Client(|context, args| channels(context, args, Topic::Channel)),
        flags: REPORT,
        since: "2.8.0",
        summary: "Returns the active channels.",
        syntax: "[pattern]",
        complexity: "O(N) where N is the number of active channels, and assuming constant time pattern \
                     matching (relatively short channels and patterns)",
        ..Spec::REST
    },
    Spec {
        name: "HELP",
        arity: Arity::exactly(2),
        handler: Handler::Client(help),
        flags: Flags::LOADING.and(Flags::STALE),
        since: "6.2.0",
        summary: "Returns helpful text about the different subcommands.",
        ..Spec::REST
    },
    Spec {
        name: "NUMPAT",
        arity: Arity::exactly(2),
        handler: Handler::Client(numpat),
        flags: REPORT,
        since: "2.8.0",
        summary: "Returns a count of unique pattern subscriptions.",
        ..Spec::REST
    },
    Spec {
        name: "NUMSUB",
        arity: Arity::at_least(2),
        handler: Handler::Client(|context, args| numsub(context, args, Topic::Channel)),
        flags: REPORT,
        since: "2.8.0",
        summary: "Returns a count of subscribers to channels.",
        syntax: "[channel...]",
        complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        ..Spec::REST
    },
    Spec {
        name: "SHARDCHANNELS",
        arity: Arity::at_least(2),
        handler: Handler::Client(|context, args| channels(context, args, Topic::ShardChannel)),
        flags: REPORT,
        since: "7.0.0",
        summary: "Returns the active shard channels.",
        syntax: "[pattern]",
        complexity: "O(N) where N is the number of active shard channels, and assuming constant time \
                     pattern matching (relatively short shard channels).",
        ..Spec::REST
    },
    Spec {
        name: "SHARDNUMSUB",
        arity: Arity::at_least(2),
        handler: Handler::Client(|context, args| numsub(context, args, Topic::ShardChannel)),
        flags: REPORT,
        since: "7.0.0",
        summary: "Returns the count of subscribers of shard channels.",
        syntax: "[shardchannel...]",
        complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
        ..Spec::REST
    },
];

const HELP: &[&str] = &[
    "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channel(s)",
    "HELP",
    "    Print this help.",
];

fn help<'v>(_: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::lines(HELP.iter().copied()))
}

fn subscribe<'v>(context: &mut Context<'_>, args: &mut Args<'v>, topic: Topic) -> Outcome<'v> {
    let word = match topic {
        Topic::Channel => "subscribe",
        Topic::Pattern => "psubscribe",
        Topic::ShardChannel => "ssubscribe",
    };
    // For channels Redis makes an exception inside MULTI.
    if topic == Topic::ShardChannel && !context.client.may_wait {
        return Err(CommandError::SSUBSCRIBE_INSIDE_MULTI);
    }
    let confirmations = args.rest().map(|name| {
        context.instance.pubsub.subscribe(&context.client.record, topic, name);
        confirmation(context, topic, word, Reply::bulk(name))
    });
    Ok(confirmed(context, confirmations.collect()))
}

fn unsubscribe<'v>(context: &mut Context<'_>, args: &mut Args<'v>, topic: Topic) -> Outcome<'v> {
    let word = match topic {
        Topic::Channel => "unsubscribe",
        Topic::Pattern => "punsubscribe",
        Topic::ShardChannel => "sunsubscribe",
    };
    let unsubscribe =
        |name: &[u8]| context.instance.pubsub.unsubscribe(&context.client.record, topic, name);
    let mut confirmations: Vec<Confirmation<'v>> = Vec::new();
    if args.is_empty() {
        for name in context.client.record.subscriptions.names(topic) {
            unsubscribe(&name);
            confirmations.push(confirmation(context, topic, word, Reply::bulk(name.to_vec())));
        }
        if confirmations.is_empty() {
            confirmations.push(confirmation(context, topic, word, Reply::Null));
        }
    } else {
        confirmations.extend(args.rest().map(|name| {
            unsubscribe(name);
            confirmation(context, topic, word, Reply::bulk(name))
        }));
    }
    // Nothing comes from a channel behind the confirmation that it was left; but what a transaction
    // has sent to its own client comes behind all of its replies.
    if context.client.may_wait {
        context.client.record.send_held();
    }
    Ok(confirmed(context, confirmations))
}

/// The items of the push that says which subscription has begun or ended.
type Confirmation<'v> = Vec<Reply<'v>>;

fn confirmation<'v>(
    context: &Context<'_>,
    topic: Topic,
    word: &'static str,
    name: Reply<'v>,
) -> Confirmation<'v> {
    let own = &context.client.record.subscriptions;
    let left = match topic {
        Topic::ShardChannel => own.count(Topic::ShardChannel),
        Topic::Channel | Topic::Pattern => own.count(Topic::Channel) + own.count(Topic::Pattern),
    };
    vec![Reply::text(word), name, Reply::count(left)]
}

/// The reply: none of its own to one who gets no replies.
fn confirmed<'v>(context: &Context<'_>, confirmations: Vec<Confirmation<'v>>) -> Reply<'v> {
    let client = &*context.client;
    if !client.is_muted() {
        return Reply::Several(confirmations.into_iter().map(Reply::Push).collect());
    }
    for items in confirmations {
        let notice = Notice::push(items, client.protocol);
        client.record.push(&notice, &client.settings.client_output_buffer_limit);
    }
    Reply::Nothing
}

fn publish<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (channel, message) = (args.bytes()?, args.bytes()?);
    Ok(Reply::count(context.instance.publish(channel, message)))
}

fn spublish<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let (channel, message) = (args.bytes()?, args.bytes()?);
    Ok(Reply::count(context.instance.publish_shard(channel, message)))
}

fn channels<'v>(context: &mut Context<'_>, args: &mut Args<'v>, topic: Topic) -> Outcome<'v> {
    let pattern = if args.is_empty() { None } else { Some(args.bytes()?) };
    if !args.is_empty() {
        return Err(args.wrong_subcommand("PUBSUB"));
    }
    let names = context.instance.pubsub.names(topic, pattern);
    Ok(Reply::Array(names.iter().map(|name| Reply::bulk(name.to_vec())).collect()))
}

fn numsub<'v>(context: &mut Context<'_>, args: &mut Args<'v>, topic: Topic) -> Outcome<'v> {
    let counts = args.rest().flat_map(|name| {
        let count = context.instance.pubsub.subscriber_count(topic, name);
        [Reply::bulk(name), Reply::count(count)]
    });
    Ok(Reply::Array(counts.collect()))
}

fn numpat<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::count(context.instance.pubsub.count(Topic::Pattern)))
}
