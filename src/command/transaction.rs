//! Transactions: commands that decide how others run. What they do stands in the executor.

use super::keys::{KeyFlags, Keys};
use super::spec::{Arity, Control, Flags, Handler, Spec};

const COMMON: Flags = Flags::NO_SCRIPT.and(Flags::LOADING).and(Flags::STALE);
const AT_ONCE: Flags = COMMON.and(Flags::FAST).and(Flags::ALLOW_BUSY);

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "MULTI",
        arity: Arity::exactly(1),
        handler: Handler::Control(Control::Queue),
        flags: AT_ONCE,
        since: "1.2.0",
        summary: "Starts a transaction.",
        ..Spec::REST
    },
    Spec {
        name: "EXEC",
        arity: Arity::exactly(1),
        handler: Handler::Control(Control::Run),
        flags: COMMON.and(Flags::SKIP_SLOWLOG),
        since: "1.2.0",
        summary: "Executes all commands in a transaction.",
        complexity: "Depends on commands in the transaction",
        ..Spec::REST
    },
    Spec {
        name: "DISCARD",
        arity: Arity::exactly(1),
        handler: Handler::Control(Control::Discard),
        flags: AT_ONCE,
        since: "2.0.0",
        summary: "Discards a transaction.",
        complexity: "O(N), when N is the number of queued commands",
        ..Spec::REST
    },
    Spec {
        name: "WATCH",
        arity: Arity::at_least(2),
        keys: Keys::range(1, -1, 1, KeyFlags::RO),
        handler: Handler::Control(Control::Watch),
        flags: AT_ONCE,
        since: "2.2.0",
        summary: "Monitors changes to keys to determine the execution of a transaction.",
        syntax: "key...",
        complexity: "O(1) for every key.",
        ..Spec::REST
    },
    Spec {
        name: "UNWATCH",
        arity: Arity::exactly(1),
        handler: Handler::Control(Control::Unwatch),
        flags: AT_ONCE,
        since: "2.2.0",
        summary: "Forgets about watched keys of a transaction.",
        ..Spec::REST
    },
];
