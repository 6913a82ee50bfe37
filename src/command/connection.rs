//! Connection commands: who a client is, and how it is spoken to.

use super::args::Args;
use super::spec::{Arity, Context, Flags, Handler, Spec};
use crate::error::CommandError;
use crate::instance::{Client, Closing, Instance};
use crate::protocol::number::parse_integer;
use crate::protocol::{Outcome, Protocol, Reply};

/// What is allowed before authentication is allowed whatever state the server is in.
const ALWAYS: Flags = Flags::FAST
    .and(Flags::NO_SCRIPT)
    .and(Flags::LOADING)
    .and(Flags::STALE)
    .and(Flags::NO_AUTH)
    .and(Flags::ALLOW_BUSY)
    .and(Flags::CONNECTION);

pub(super) const COMMANDS: &[Spec] = &[
    Spec {
        name: "PING",
        arity: Arity::at_least(1),
        handler: Handler::Answer(ping),
        flags: Flags::FAST.and(Flags::CONNECTION).and(Flags::SUBSCRIBER),
        since: "1.0.0",
        summary: "Returns the server's liveliness response.",
        syntax: "[message]",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Spec::REST
    },
    Spec {
        name: "ECHO",
        arity: Arity::exactly(2),
        handler: Handler::Answer(echo),
        flags: Flags::FAST.and(Flags::LOADING).and(Flags::STALE).and(Flags::CONNECTION),
        since: "1.0.0",
        summary: "Returns the given string.",
        syntax: "message",
        complexity: "O(1)",
        ..Spec::REST
    },
    Spec {
        name: "AUTH",
        arity: Arity::at_least(2),
        handler: Handler::Client(auth),
        flags: ALWAYS,
        since: "1.0.0",
        summary: "Authenticates the connection.",
        syntax: "[username@6.0.0] password",
        complexity: "O(N) where N is the number of passwords defined for the user",
        history: &[("6.0.0", "Added ACL style (username and password).")],
        ..Spec::REST
    },
    Spec {
        name: "HELLO",
        arity: Arity::at_least(1),
        handler: Handler::Client(hello),
        flags: ALWAYS,
        since: "6.0.0",
        summary: "Handshakes with the Redis server.",
        syntax: "arguments=[protover:integer [AUTH auth=(username password)] [SETNAME clientname]]",
        complexity: "O(1)",
        history: &[(
            "6.2.0",
            "`protover` made optional; when called without arguments the command reports the current connection's context.",
        )],
        ..Spec::REST
    },
    Spec {
        name: "SELECT",
        arity: Arity::exactly(2),
        handler: Handler::Client(select),
        flags: Flags::FAST.and(Flags::LOADING).and(Flags::STALE).and(Flags::CONNECTION),
        since: "1.0.0",
        summary: "Changes the selected database.",
        syntax: "index",
        complexity: "O(1)",
        ..Spec::REST
    },
    Spec {
        name: "QUIT",
        arity: Arity::at_least(1),
        handler: Handler::Client(quit),
        flags: ALWAYS.and(Flags::SUBSCRIBER).and(Flags::UNQUEUED),
        since: "1.0.0",
        summary: "Closes the connection.",
        syntax: "",
        complexity: "O(1)",
        deprecated: Some(("7.2.0", "just closing the connection")),
        ..Spec::REST
    },
    Spec {
        name: "RESET",
        arity: Arity::exactly(1),
        handler: Handler::Client(reset),
        flags: ALWAYS.and(Flags::SUBSCRIBER).and(Flags::UNQUEUED),
        since: "6.2.0",
        summary: "Resets the connection.",
        syntax: "",
        complexity: "O(1)",
        ..Spec::REST
    },
];

fn ping<'v>(client: &'v Client, args: &mut Args<'v>) -> Outcome<'v> {
    let mut rest = args.rest();
    let message = rest.next();
    if rest.next().is_some() {
        return Err(CommandError::Arity("ping".into()));
    }
    if client.is_subscriber() {
        // In the shape of a message.
        let message = message.unwrap_or_default();
        return Ok(Reply::Array(vec![Reply::text("pong"), Reply::bulk(message)]));
    }
    Ok(message.map_or_else(|| Reply::status("PONG"), Reply::bulk))
}

fn echo<'v>(_: &'v Client, args: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::bulk(args.bytes()?))
}

fn auth<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    if args.len() > 2 {
        return Err(CommandError::Syntax);
    }
    let first = args.secret()?;
    let credentials = if args.is_empty() {
        if context.client.settings.requirepass.is_empty() {
            return Err(CommandError::NO_PASSWORD_SET);
        }
        Credentials { user: DEFAULT_USER.to_vec(), password: first }
    } else {
        Credentials { user: first, password: args.secret()? }
    };
    credentials.check(&context.client.settings.requirepass)?;
    context.client.authenticated = true;
    Ok(Reply::Ok)
}

/// The user that every connection starts as, and the only one there is.
pub(super) const DEFAULT_USER: &[u8] = b"default";

struct Credentials {
    user: Vec<u8>,
    password: Vec<u8>,
}

impl Credentials {
    fn check(&self, required: &str) -> Result<(), CommandError> {
        // Without a password the default user may have any.
        let fits = self.user == DEFAULT_USER
            && (required.is_empty() || is_same_secret(&self.password, required.as_bytes()));
        if fits { Ok(()) } else { Err(CommandError::WRONG_PASSWORD) }
    }
}

/// Compares in a time that depends on the guess alone: a guess that is right for longer takes no
/// longer.
fn is_same_secret(guess: &[u8], secret: &[u8]) -> bool {
    let mut difference = guess.len() ^ secret.len();
    for (index, byte) in guess.iter().enumerate() {
        let wanted = secret.get(index % secret.len().max(1)).copied().unwrap_or(0);
        // The compiler must not see that one difference settles it.
        difference = std::hint::black_box(difference | usize::from(byte ^ wanted));
    }
    difference == 0
}

fn hello<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let protocol = if args.is_empty() { None } else { Some(read_protocol(args.bytes()?)?) };
    let (mut credentials, mut name) = (None, None);
    while !args.is_empty() {
        let option = args.bytes()?;
        if option.eq_ignore_ascii_case(b"AUTH") && args.len() >= 2 {
            credentials = Some(Credentials { user: args.secret()?, password: args.secret()? });
        } else if option.eq_ignore_ascii_case(b"SETNAME") && !args.is_empty() {
            name = Some(read_name(args.bytes()?)?);
        } else {
            return Err(CommandError::quoting("ERR Syntax error in HELLO option ", option, ""));
        }
    }
    let client = &mut *context.client;
    if let Some(credentials) = credentials {
        credentials.check(&client.settings.requirepass)?;
        client.authenticated = true;
    }
    if !client.authenticated {
        return Err(CommandError::HELLO_UNAUTHENTICATED);
    }
    if let Some(name) = name {
        client.rename(name);
    }
    if let Some(protocol) = protocol {
        client.speak(protocol);
    }
    Ok(introduction(client.protocol, client.id()))
}

fn read_protocol(text: &[u8]) -> Result<Protocol, CommandError> {
    match parse_integer(text).ok_or(CommandError::PROTOCOL_NOT_INTEGER)? {
        2 => Ok(Protocol::Resp2),
        3 => Ok(Protocol::Resp3),
        _ => Err(CommandError::UNSUPPORTED_PROTOCOL),
    }
}

/// What the server says of itself.
fn introduction<'v>(protocol: Protocol, id: u64) -> Reply<'v> {
    let entry = |name: &'static str, value: Reply<'v>| (Reply::text(name), value);
    Reply::Map(vec![
        entry("server", Reply::text("redis")),
        entry("version", Reply::text(crate::REDIS_VERSION)),
        entry("proto", Reply::Int(protocol.number())),
        entry("id", Reply::Int(id as i64)),
        entry("mode", Reply::text("standalone")),
        entry("role", Reply::text("master")),
        entry("modules", Reply::Array(vec![])),
    ])
}

/// A client's name: printable ASCII without spaces, so that a line of CLIENT LIST can be split at
/// spaces.
pub(super) fn read_name(text: &[u8]) -> Result<String, CommandError> {
    if !text.iter().all(u8::is_ascii_graphic) {
        return Err(CommandError::INVALID_CLIENT_NAME);
    }
    Ok(String::from_utf8_lossy(text).into_owned())
}

fn select<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let db = args.db(context.instance.keyspace.database_count())?;
    context.client.select(db);
    Ok(Reply::Ok)
}

fn quit<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    context.client.closing = Some(Closing::AfterReply);
    Ok(Reply::Ok)
}

fn reset<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    let Context { instance, client, .. } = context;
    let instance: &Instance = instance;
    instance.forget(&client.record);
    // Messages that came before go ahead of the reply.
    client.record.send_held();
    instance.discard_transaction(client);
    client.reset();
    Ok(Reply::status("RESET"))
}
