//! Rows that the table does not have, and clients to run them, for unit tests.

use crate::command::{Arity, Found, Group, Handler, KeyFlags, Keys, Spec};
use crate::instance::{Client, Instance, testing};
use crate::protocol::{Reply, Request};
use crate::value::StringValue;

/// A client that nobody reads from.
pub(super) fn client(instance: &Instance) -> Client {
    let record = testing::record(instance.clients.next_id(), &instance.post);
    Client::new(record, instance.config.settings())
}

const fn row(name: &'static str, handler: Handler) -> Spec {
    let keys = Keys::one(1, KeyFlags::RW);
    Spec { name, arity: Arity::exactly(2), keys, handler, ..Spec::REST }
}

/// Whether a key is there.
pub(super) static READ: Spec =
    row("READ", Handler::Read(|view, args| Ok(Reply::Bool(view.string(args.key()?)?.is_some()))));
/// Sets a key.
pub(super) static WRITE: Spec = row(
    "WRITE",
    Handler::Write(|view, args| {
        view.set(args.key()?, StringValue::new(b"new".to_vec()));
        Ok(Reply::Ok)
    }),
);
pub(super) static PANIC_IN_READ: Spec =
    row("PANIC-IN-READ", Handler::Read(|_, _| panic!("while reading")));
pub(super) static PANIC_BEFORE: Spec =
    row("PANIC-BEFORE", Handler::Write(|_, _| panic!("before any change")));
pub(super) static PANIC_AMID: Spec = row(
    "PANIC-AMID",
    Handler::Write(|view, args| {
        view.set(args.key()?, StringValue::new(b"half".to_vec()));
        panic!("amid a change")
    }),
);

/// A row as if it had been found.
pub(super) fn found(spec: &'static Spec) -> Found {
    Found { spec, container: None, group: Group::String, id: 0 }
}

/// A request for a row, about the same key each time.
pub(super) fn request(spec: &Spec) -> Request {
    Request::from_args([spec.name.as_bytes(), &b"k"[..]])
}
