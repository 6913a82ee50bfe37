//! Sending what others have put into the outboxes of clients.
//!
//! A postman goes from client to client. He never waits at a door: a client whose connection has no
//! room gets a courier, a thread that serves it alone from then on. So a message to a thousand clients
//! wakes one thread, and a client that does not read delays nobody.
//!
//! Where it is for a few clients only, the thread that has sent it goes itself before it answers its own
//! client: so whoever has been answered can rely on it that others have been told.

use super::link;
use super::name_thread;
use crate::instance::{ClientRecord, Instance, Outgoing, SharedRecord};
use crate::limits;
use crossbeam::thread::Scope;
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;

/// Serves until the post is closed.
pub fn serve_all<'e>(instance: &'e Instance, scope: &Scope<'e>) {
    let (mut clients, mut outgoing) = (Vec::new(), Outgoing::default());
    while instance.post.take(&mut clients) {
        for record in clients.drain(..) {
            serve(instance, record, &mut outgoing, scope);
        }
    }
}

fn serve<'e>(
    instance: &'e Instance,
    record: SharedRecord,
    outgoing: &mut Outgoing,
    scope: &Scope<'e>,
) {
    if !record.outbox().collect(outgoing) {
        return;
    }
    if try_to_send(instance, &record, outgoing) {
        record.see_to(record.outbox().sent());
    } else {
        record.outbox().become_courier();
        employ_courier(instance, record, mem::take(outgoing), scope);
    }
}

/// Serves the clients who wait for the post, if they are few.
pub fn serve_few(instance: &Instance) {
    let (mut clients, mut outgoing) = (Vec::new(), Outgoing::default());
    instance.post.take_few(&mut clients);
    for record in clients {
        if record.outbox().collect(&mut outgoing) {
            let is_sent = try_to_send(instance, &record, &mut outgoing);
            record.see_to(match is_sent {
                true => record.outbox().sent(),
                false => record.outbox().give_back(mem::take(&mut outgoing)),
            });
        }
    }
}

/// Sends what there is room for. `false` if there was no room for all of it; a connection that is of no
/// use any more has room for everything.
fn try_to_send(instance: &Instance, record: &SharedRecord, outgoing: &mut Outgoing) -> bool {
    match send(instance, record, outgoing, ClientRecord::send_at_once) {
        Ok(()) => true,
        Err(error) if link::is_stall(&error) => false,
        Err(_) => {
            *outgoing = Outgoing::default();
            give_up(record);
            true
        }
    }
}

/// Sends everything with `write`.
fn send(
    instance: &Instance,
    record: &SharedRecord,
    outgoing: &mut Outgoing,
    write: fn(&ClientRecord, &mut Outgoing) -> io::Result<usize>,
) -> io::Result<()> {
    record.active_ms.set(instance.now_ms());
    while !outgoing.is_empty() {
        match write(record, outgoing) {
            Ok(count) => link::count_output(instance, record, count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The connection is of no use any more.
fn give_up(record: &SharedRecord) {
    record.kill();
    record.outbox().abandon();
}

fn employ_courier<'e>(
    instance: &'e Instance,
    record: SharedRecord,
    outgoing: Outgoing,
    scope: &Scope<'e>,
) {
    let client = Arc::clone(&record);
    let thread = scope.builder().stack_size(limits::WORKER_STACK_BYTES);
    let courier = thread.spawn(move |_| {
        name_thread(&client);
        carry(instance, &client, outgoing);
    });
    if let Err(error) = courier {
        log::warn!("No thread to send to client {}: {error}", record.id);
        give_up(&record);
        record.outbox().sent();
    }
}

/// Sends what is there and all that comes, however slowly the peer reads: it ends when the outbox is
/// closed or the socket shut.
fn carry(instance: &Instance, record: &SharedRecord, mut outgoing: Outgoing) {
    let outbox = record.outbox();
    loop {
        if send(instance, record, &mut outgoing, ClientRecord::send).is_err() {
            outgoing = Outgoing::default();
            give_up(record);
        }
        if !outbox.take(&mut outgoing) {
            return;
        }
    }
}
