//! Bytes on their way to one client from several threads, in the order they were put in.
//!
//! Others who send something never wait: a client that reads too slowly for its limit is cut off. The
//! client's own replies wait for room, so that one who sends requests and reads no replies holds up
//! itself.
//!
//! What others send while a command of the client runs is *held*: it goes out behind the reply. So
//! the confirmation of a subscription comes before its first message, and a client that changes what
//! it watches gets the reply to the change first. An outbox is made by a command, and hence holds.

use super::notice::{Notice, Outgoing};
use crate::protocol::Protocol;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// The queue between those who write to a client and the thread that owns its socket's sending side.
pub struct Outbox {
    state: Mutex<State>,
    /// Whether something is held; changed under `state`.
    has_held: AtomicBool,
    /// There is something to send, or nothing more will come.
    filled: Condvar,
    /// There is room again, or the client is gone.
    drained: Condvar,
}

struct State {
    waiting: Outgoing,
    /// Bytes that were taken and are being sent.
    leaving: usize,
    /// What others have sent since the client's command began; `None` while none runs.
    held: Option<Held>,
    /// What the client speaks from the last reply on.
    protocol: Protocol,
    closed: bool,
    /// Whether the writer has to be woken.
    writer_sleeps: bool,
    /// The fewest bytes that were here since somebody looked.
    fewest: usize,
}

#[derive(Default)]
struct Held {
    notices: Vec<Notice>,
    bytes: usize,
}

impl State {
    fn len(&self) -> usize {
        let held = self.held.as_ref().map_or(0, |held| held.bytes);
        self.waiting.len() + self.leaving + held
    }
}

/// What became of something that was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is queued.
    Queued,
    /// There was no room for it in time.
    Full,
    /// The client is gone.
    Closed,
}

impl Outbox {
    /// An outbox for a client that speaks this, in the middle of a command.
    pub fn new(protocol: Protocol) -> Self {
        let state = State {
            waiting: Outgoing::default(),
            leaving: 0,
            held: Some(Held::default()),
            protocol,
            closed: false,
            writer_sleeps: false,
            fewest: 0,
        };
        Self {
            state: Mutex::new(state),
            has_held: AtomicBool::new(false),
            filled: Condvar::new(),
            drained: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("appending bytes does not panic")
    }

    /// Wakes the writer if it sleeps and there is something to send.
    fn wake_writer(&self, mut state: MutexGuard<'_, State>) {
        let wakes = state.writer_sleeps && !state.waiting.is_empty();
        if wakes {
            state.writer_sleeps = false;
        }
        drop(state);
        if wakes {
            self.filled.notify_one();
        }
    }

    /// Sends what the client has not asked for. [`Put::Full`] if more than `bytes_max` would then wait:
    /// all of it is thrown away, and the caller closes the connection.
    pub fn push(&self, notice: &Notice, bytes_max: usize) -> Put {
        let mut state = self.state();
        if state.closed {
            return Put::Closed;
        }
        if state.len() + notice.len() > bytes_max {
            state.closed = true;
            state.waiting = Outgoing::default();
            state.held = None;
            drop(state);
            self.filled.notify_all();
            self.drained.notify_all();
            return Put::Full;
        }
        if let Some(held) = &mut state.held {
            held.bytes += notice.len();
            held.notices.push(notice.clone());
            self.has_held.store(true, Ordering::Relaxed);
        } else {
            let protocol = state.protocol;
            state.waiting.push(notice, protocol);
            self.wake_writer(state);
        }
        Put::Queued
    }

    /// A command of the client begins: what others send waits for its reply.
    pub fn hold(&self) {
        self.state().held.get_or_insert_default();
    }

    /// Lets go what is held, ahead of the reply.
    pub fn release(&self) {
        let mut state = self.state();
        self.send_held(&mut state);
        self.wake_writer(state);
    }

    fn send_held(&self, state: &mut State) {
        let protocol = state.protocol;
        for notice in state.held.take().unwrap_or_default().notices {
            state.waiting.push(&notice, protocol);
        }
        self.has_held.store(false, Ordering::Relaxed);
    }

    /// Whether something is held. The client's own thread sees what it sent itself.
    pub fn has_held(&self) -> bool {
        self.has_held.load(Ordering::Relaxed)
    }

    /// Queues replies, however many, once less than `bytes_max` wait, and behind them what is held.
    /// Gives up after `patience`. The last of them was in this protocol, and so is what comes next.
    pub fn reply(
        &self,
        bytes: &[u8],
        protocol: Protocol,
        bytes_max: usize,
        patience: Duration,
    ) -> Put {
        let full = |state: &mut State| !state.closed && state.len() >= bytes_max;
        let wait = self.drained.wait_timeout_while(self.state(), patience, full);
        let (mut state, _) = wait.expect("appending bytes does not panic");
        if state.closed {
            return Put::Closed;
        }
        if state.len() >= bytes_max {
            return Put::Full;
        }
        state.waiting.append(bytes);
        state.protocol = protocol;
        self.send_held(&mut state);
        self.wake_writer(state);
        Put::Queued
    }

    /// Says that what was taken before is sent, waits for more, and swaps it into `into`, which is
    /// empty. `false` once closed and empty.
    pub fn take(&self, into: &mut Outgoing) -> bool {
        let mut state = self.state();
        state.leaving = 0;
        state.fewest = state.fewest.min(state.len());
        self.drained.notify_all();
        let waiting = |state: &mut State| {
            state.writer_sleeps = state.waiting.is_empty() && !state.closed;
            state.writer_sleeps
        };
        let wait = self.filled.wait_while(state, waiting);
        let mut state = wait.expect("appending bytes does not panic");
        mem::swap(&mut state.waiting, into);
        state.leaving = into.len();
        !into.is_empty()
    }

    /// Takes no more; what is queued is still sent.
    pub fn close(&self) {
        self.state().closed = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    /// Bytes that wait or are being sent.
    pub fn len(&self) -> usize {
        self.state().len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The fewest bytes that were here at any time since this was last asked.
    pub fn fewest(&self) -> usize {
        let mut state = self.state();
        let len = state.len();
        mem::replace(&mut state.fewest, len).min(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    /// An outbox between two commands.
    fn outbox() -> Outbox {
        let outbox = Outbox::new(Protocol::Resp2);
        outbox.release();
        outbox
    }

    fn line(text: &str) -> Notice {
        Notice::line(text.as_bytes())
    }

    fn taken(outbox: &Outbox) -> String {
        let mut taken = Outgoing::default();
        assert!(outbox.take(&mut taken));
        let mut bytes = Vec::new();
        taken.write_to(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_is_being_sent_still_counts() {
        let outbox = outbox();
        assert_eq!(outbox.push(&line("abc"), 5), Put::Queued);
        assert_eq!((taken(&outbox).as_str(), outbox.len()), ("abc", 3));
        assert_eq!(outbox.push(&line("de"), 5), Put::Queued);
        assert_eq!((taken(&outbox).as_str(), outbox.len()), ("de", 2));
    }

    #[test]
    fn one_who_does_not_read_is_given_up_once_and_takes_no_memory() {
        let outbox = outbox();
        assert_eq!(outbox.push(&line("abc"), 5), Put::Queued);
        assert_eq!(outbox.push(&line("def"), 5), Put::Full);
        assert_eq!(outbox.push(&line("g"), 5), Put::Closed);
        assert!(outbox.is_empty());
        assert!(!outbox.take(&mut Outgoing::default()), "the writer ends");
    }

    #[test]
    fn a_reply_waits_for_room_and_not_for_ever() {
        let outbox = outbox();
        let reply = |bytes| outbox.reply(bytes, Protocol::Resp2, 5, AT_ONCE);
        assert_eq!(reply(b"a long reply"), Put::Queued);
        assert_eq!(reply(b"x"), Put::Full);
        outbox.close();
        assert_eq!(reply(b"x"), Put::Closed);
        assert_eq!(taken(&outbox), "a long reply", "what is queued is still sent");
        assert!(!outbox.take(&mut Outgoing::default()));
    }

    #[test]
    fn what_others_send_during_a_command_comes_behind_its_reply_and_in_its_protocol() {
        let outbox = outbox();
        let message = Notice::push(vec![crate::protocol::Reply::Int(1)], Protocol::Resp2);
        outbox.push(&message, 100);
        outbox.hold();
        assert!(!outbox.has_held());
        outbox.push(&message, 100);
        outbox.push(&line("+line\r\n"), 100);
        assert!(outbox.has_held());
        outbox.reply(b"+HELLO\r\n", Protocol::Resp3, 100, AT_ONCE);
        outbox.push(&message, 100);
        assert_eq!(
            taken(&outbox),
            "*1\r\n:1\r\n+HELLO\r\n>1\r\n:1\r\n+line\r\n>1\r\n:1\r\n",
            "from the reply on it is RESP3"
        );
    }

    #[test]
    fn what_is_held_can_go_ahead_of_the_reply() {
        let outbox = Outbox::new(Protocol::Resp2);
        outbox.push(&line("early "), 100);
        outbox.release();
        outbox.hold();
        outbox.push(&line("late"), 100);
        outbox.reply(b"reply ", Protocol::Resp2, 100, AT_ONCE);
        assert_eq!(taken(&outbox), "early reply late");
    }

    #[test]
    fn the_fewest_bytes_since_the_last_look_are_known() {
        let outbox = outbox();
        outbox.push(&line("abc"), 100);
        assert_eq!((outbox.fewest(), outbox.fewest()), (0, 3));
        taken(&outbox);
        outbox.push(&line("de"), 100);
        assert_eq!(outbox.fewest(), 3, "it never was empty");
        taken(&outbox);
        outbox.push(&line("f"), 100);
        assert_eq!((outbox.fewest(), outbox.fewest()), (2, 3), "the first was sent meanwhile");
    }
}
