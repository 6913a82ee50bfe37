//! Bytes on their way to one client from several threads, in the order they were put in.
//!
//! Others who send something never wait: a client that reads too slowly for its limit is cut off. The
//! client's own replies wait for room, so that one who sends requests and reads no replies holds up
//! itself.
//!
//! What others send while a command of the client runs is *held*: it goes out behind the reply. So
//! the confirmation of a subscription comes before its first message, and who changes a key that it
//! caches gets the reply to the change first.
//!
//! One thread at a time sends: the client's own when it has replies, the postman when others have
//! put something in, or a courier whom the client then has for itself, because it reads slowly. Who
//! has sent what was there and finds more leaves it to the postman.

use super::notice::{Notice, Outgoing};
use crate::protocol::Protocol;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// The queue between those who write to a client and the thread that sends.
#[derive(Default)]
pub struct Outbox {
    state: Mutex<State>,
    /// Whether something is held; changed under `state`.
    has_held: AtomicBool,
    /// There is something for the courier, or nothing more will come.
    filled: Condvar,
    /// There is room again, nobody sends any more, or the client is gone.
    drained: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Outgoing,
    /// Bytes that were taken and are being sent.
    leaving: usize,
    /// What others have sent since the client's command began; `None` while none runs.
    held: Option<Held>,
    /// What the client speaks from the last reply on.
    protocol: Protocol,
    closed: bool,
    sender: Sender,
    /// Whether the postman knows that something waits.
    is_posted: bool,
    /// Whether the client's own thread waits for room, or for others to have sent. To wake nobody would
    /// be a system call as well.
    awaits_drain: bool,
    /// The fewest bytes that were here since somebody looked.
    fewest: usize,
}

/// Who owns the sending side of the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sender {
    #[default]
    Nobody,
    /// The client's own thread or the postman, for a moment.
    Somebody,
    /// A thread that sends until the end.
    Courier {
        /// Whether it has to be woken.
        sleeps: bool,
    },
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

    /// Hands over what waits to one who sends it.
    fn give(&mut self, into: &mut Outgoing) {
        mem::swap(&mut self.waiting, into);
        self.leaving = into.len();
    }

    /// Notes that what was given is sent.
    fn has_sent(&mut self) {
        self.leaving = 0;
        self.fewest = self.fewest.min(self.len());
    }
}

/// What became of something that was put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is queued, and somebody sends it.
    Queued,
    /// It is queued, and the postman has to be told.
    ToPost,
    /// It is the caller who sends it.
    ToSend,
    /// There was no room for it in time.
    Full,
    /// The client is gone.
    Closed,
}

impl Outbox {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("appending bytes does not panic")
    }

    /// Wakes whoever waits for what was sent.
    fn tell_drained(&self, state: &State) {
        if state.awaits_drain {
            self.drained.notify_all();
        }
    }

    /// Sees to it that what waits is sent by somebody.
    fn dispatch(&self, mut state: MutexGuard<'_, State>) -> Put {
        if state.waiting.is_empty() {
            return Put::Queued;
        }
        match state.sender {
            Sender::Nobody if !state.is_posted => {
                state.is_posted = true;
                return Put::ToPost;
            }
            Sender::Courier { sleeps: true } => {
                state.sender = Sender::Courier { sleeps: false };
                drop(state);
                self.filled.notify_one();
            }
            // It looks again when it has sent what it took.
            Sender::Nobody | Sender::Somebody | Sender::Courier { sleeps: false } => {}
        }
        Put::Queued
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
            return Put::Queued;
        }
        let protocol = state.protocol;
        state.waiting.push(notice, protocol);
        self.dispatch(state)
    }

    /// A command of the client begins: what others send waits for its reply.
    pub fn hold(&self) {
        self.state().held.get_or_insert_default();
    }

    /// Lets go what is held, ahead of the reply.
    pub fn release(&self) -> Put {
        let mut state = self.state();
        self.send_held(&mut state);
        self.dispatch(state)
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

    /// Queues replies, however many, and behind them what is held. The last of them was in this
    /// protocol, and so is what comes next. If nobody sends it is the caller who does: everything that
    /// waits is swapped into `into`, which is empty; if it still is, there is nothing but the replies.
    /// If somebody sends they wait until less than `bytes_max` is there, and no longer than `patience`.
    pub fn reply(
        &self,
        bytes: &[u8],
        protocol: Protocol,
        bytes_max: usize,
        patience: Duration,
        into: &mut Outgoing,
    ) -> Put {
        let full = |state: &mut State| {
            !state.closed && state.sender != Sender::Nobody && state.len() >= bytes_max
        };
        let mut state = self.state();
        if full(&mut state) {
            state.awaits_drain = true;
            let wait = self.drained.wait_timeout_while(state, patience, full);
            (state, _) = wait.expect("appending bytes does not panic");
            state.awaits_drain = false;
        }
        if state.closed {
            return Put::Closed;
        }
        if full(&mut state) {
            return Put::Full;
        }
        let is_alone = state.sender == Sender::Nobody
            && state.waiting.is_empty()
            && !self.has_held()
            && !bytes.is_empty();
        state.protocol = protocol;
        if is_alone {
            state.held = None;
            state.sender = Sender::Somebody;
            return Put::ToSend;
        }
        state.waiting.append(bytes);
        self.send_held(&mut state);
        if state.sender != Sender::Nobody || state.waiting.is_empty() {
            return self.dispatch(state);
        }
        state.sender = Sender::Somebody;
        state.give(into);
        Put::ToSend
    }

    /// The postman comes: gives what waits, unless another sends already.
    pub fn collect(&self, into: &mut Outgoing) -> bool {
        let mut state = self.state();
        state.is_posted = false;
        if state.sender != Sender::Nobody || state.waiting.is_empty() {
            return false;
        }
        state.sender = Sender::Somebody;
        state.give(into);
        true
    }

    /// What was given is sent, or cannot be.
    pub fn sent(&self) -> Put {
        let mut state = self.state();
        state.has_sent();
        state.sender = Sender::Nobody;
        self.tell_drained(&state);
        self.dispatch(state)
    }

    /// What was given is not sent, since there is no room for it.
    pub fn give_back(&self, rest: Outgoing) -> Put {
        let mut state = self.state();
        let later = mem::replace(&mut state.waiting, rest);
        state.waiting.append_all(later);
        state.leaving = 0;
        state.sender = Sender::Nobody;
        self.tell_drained(&state);
        self.dispatch(state)
    }

    /// Whoever sends will go on doing so until the end, with [`take`](Self::take).
    pub fn become_courier(&self) {
        self.state().sender = Sender::Courier { sleeps: false };
    }

    /// The courier has sent what it took: waits for more, and swaps it into `into`, which is empty.
    /// `false` once closed and empty; then it sends no more.
    pub fn take(&self, into: &mut Outgoing) -> bool {
        let mut state = self.state();
        state.has_sent();
        self.tell_drained(&state);
        let waiting = |state: &mut State| {
            let sleeps = state.waiting.is_empty() && !state.closed;
            state.sender = Sender::Courier { sleeps };
            sleeps
        };
        let wait = self.filled.wait_while(state, waiting);
        let mut state = wait.expect("appending bytes does not panic");
        state.give(into);
        if into.is_empty() {
            state.sender = Sender::Nobody;
            self.tell_drained(&state);
        }
        !into.is_empty()
    }

    /// Takes no more, and throws away what is queued.
    pub fn abandon(&self) {
        let mut state = self.state();
        state.closed = true;
        state.waiting = Outgoing::default();
        state.held = None;
        drop(state);
        self.filled.notify_all();
        self.drained.notify_all();
    }

    /// Takes no more and waits until nobody sends. What is then still queued is swapped into `into`,
    /// which is empty.
    pub fn end(&self, into: &mut Outgoing) {
        let mut state = self.state();
        state.closed = true;
        self.filled.notify_all();
        state.awaits_drain = true;
        let is_sent = |state: &mut State| state.sender != Sender::Nobody;
        let wait = self.drained.wait_while(state, is_sent);
        let mut state = wait.expect("appending bytes does not panic");
        // A postman who comes now finds nothing.
        mem::swap(&mut state.waiting, into);
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
    use crate::protocol::Reply;

    const AT_ONCE: Duration = Duration::ZERO;

    fn line(text: &str) -> Notice {
        Notice::line(text.as_bytes())
    }

    fn text(outgoing: &mut Outgoing) -> String {
        let mut bytes = Vec::new();
        while !outgoing.is_empty() {
            let sent = outgoing.send_some(|slices| {
                bytes.extend_from_slice(&slices[0]);
                Ok(slices[0].len())
            });
            sent.unwrap();
        }
        String::from_utf8(bytes).unwrap()
    }

    /// What the postman gets.
    fn collected(outbox: &Outbox) -> String {
        let mut outgoing = Outgoing::default();
        assert!(outbox.collect(&mut outgoing));
        text(&mut outgoing)
    }

    #[test]
    fn the_postman_is_called_once_until_he_has_come() {
        let outbox = Outbox::default();
        assert_eq!(outbox.push(&line("a"), 5), Put::ToPost);
        assert_eq!(outbox.push(&line("b"), 5), Put::Queued);
        assert_eq!(collected(&outbox), "ab");
        assert_eq!(outbox.push(&line("c"), 5), Put::Queued, "he looks again");
        assert!(!outbox.collect(&mut Outgoing::default()), "one at a time sends");
        assert_eq!(outbox.sent(), Put::ToPost);
        assert_eq!(collected(&outbox), "c");
        assert_eq!(outbox.sent(), Put::Queued);
        assert!(!outbox.collect(&mut Outgoing::default()), "there is nothing");
    }

    #[test]
    fn what_was_not_sent_comes_before_what_came_later() {
        let outbox = Outbox::default();
        outbox.push(&line("first "), 100);
        let mut outgoing = Outgoing::default();
        assert!(outbox.collect(&mut outgoing));
        outgoing.send_some(|_| Ok(2)).unwrap();
        outbox.push(&line("later"), 100);
        assert_eq!(outbox.give_back(outgoing), Put::ToPost);
        assert_eq!(outbox.len(), 9);
        assert_eq!(collected(&outbox), "rst later");
    }

    #[test]
    fn what_is_being_sent_still_counts() {
        let outbox = Outbox::default();
        outbox.push(&line("abc"), 5);
        assert_eq!((collected(&outbox).as_str(), outbox.len()), ("abc", 3));
        assert_eq!(outbox.push(&line("de"), 5), Put::Queued);
        assert_eq!(outbox.len(), 5);
        assert_eq!(outbox.push(&line("f"), 5), Put::Full);
    }

    #[test]
    fn one_who_does_not_read_is_given_up_once_and_takes_no_memory() {
        let outbox = Outbox::default();
        outbox.push(&line("abc"), 5);
        assert_eq!(outbox.push(&line("def"), 5), Put::Full);
        assert_eq!(outbox.push(&line("g"), 5), Put::Closed);
        assert!(outbox.is_empty());
        outbox.become_courier();
        assert!(!outbox.take(&mut Outgoing::default()), "the courier ends");
    }

    #[test]
    fn a_reply_waits_for_room_only_while_another_sends_and_not_for_ever() {
        let outbox = Outbox::default();
        let mut into = Outgoing::default();
        let mut reply = |bytes| outbox.reply(bytes, Protocol::Resp2, 5, AT_ONCE, &mut into);
        assert_eq!(reply(b"a long reply"), Put::ToSend);
        outbox.sent();
        outbox.push(&line("pushed "), 100);
        assert_eq!(collected(&outbox), "pushed ");
        assert_eq!(reply(b"x"), Put::Full);
        outbox.sent();
        outbox.push(&line("pushed "), 100);
        into = Outgoing::default();
        let reply = outbox.reply(b"reply", Protocol::Resp2, 5, AT_ONCE, &mut into);
        assert_eq!((reply, text(&mut into).as_str()), (Put::ToSend, "pushed reply"));
        outbox.sent();
        outbox.push(&line("last"), 100);
        outbox.end(&mut into);
        assert_eq!(text(&mut into), "last", "what is queued is still sent");
        let reply = outbox.reply(b"x", Protocol::Resp2, 5, AT_ONCE, &mut into);
        assert_eq!(reply, Put::Closed);
    }

    #[test]
    fn replies_that_are_alone_are_not_copied() {
        let outbox = Outbox::default();
        let mut into = Outgoing::default();
        outbox.hold();
        let put = outbox.reply(b"reply", Protocol::Resp2, 5, AT_ONCE, &mut into);
        assert_eq!((put, into.is_empty()), (Put::ToSend, true));
        assert_eq!(outbox.push(&line("later"), 100), Put::Queued);
        assert_eq!(outbox.sent(), Put::ToPost);
        assert_eq!(collected(&outbox), "later");
        outbox.sent();
        let put = outbox.reply(b"", Protocol::Resp2, 5, AT_ONCE, &mut into);
        assert_eq!(put, Put::Queued, "there is nothing to send");
    }

    #[test]
    fn a_courier_sends_to_the_end() {
        let outbox = &Outbox::default();
        let (mut carried, mut into) = (String::new(), Outgoing::default());
        outbox.push(&line("a"), 100);
        assert_eq!(collected(outbox), "a");
        outbox.become_courier();
        std::thread::scope(|scope| {
            let courier = scope.spawn(move || {
                while outbox.take(&mut into) {
                    carried.push_str(&text(&mut into));
                }
                carried
            });
            for number in 0..1000 {
                assert_eq!(outbox.push(&line(&format!("{number} ")), usize::MAX), Put::Queued);
            }
            let mut rest = Outgoing::default();
            outbox.end(&mut rest);
            assert!(rest.is_empty());
            let expected: String = (0..1000).map(|number| format!("{number} ")).collect();
            assert_eq!(courier.join().unwrap(), expected);
        });
    }

    #[test]
    fn what_others_send_during_a_command_comes_behind_its_reply_and_in_its_protocol() {
        let outbox = Outbox::default();
        let message = Notice::push(vec![Reply::Int(1)], Protocol::Resp2);
        outbox.push(&message, 100);
        outbox.hold();
        assert!(!outbox.has_held());
        assert_eq!(outbox.push(&message, 100), Put::Queued);
        outbox.push(&line("+line\r\n"), 100);
        assert!(outbox.has_held());
        let mut into = Outgoing::default();
        outbox.reply(b"+HELLO\r\n", Protocol::with_number(3), 100, AT_ONCE, &mut into);
        outbox.push(&message, 100);
        assert_eq!(text(&mut into), "*1\r\n:1\r\n+HELLO\r\n>1\r\n:1\r\n+line\r\n");
        outbox.sent();
        assert_eq!(collected(&outbox), ">1\r\n:1\r\n", "from the reply on it is RESP3");
    }

    #[test]
    fn what_is_held_can_go_ahead_of_the_reply() {
        let outbox = Outbox::default();
        outbox.hold();
        outbox.push(&line("early "), 100);
        assert_eq!(outbox.release(), Put::ToPost);
        outbox.hold();
        outbox.push(&line("late"), 100);
        let mut into = Outgoing::default();
        outbox.reply(b"reply ", Protocol::Resp2, 100, AT_ONCE, &mut into);
        assert_eq!(text(&mut into), "early reply late");
    }

    #[test]
    fn the_fewest_bytes_since_the_last_look_are_known() {
        let outbox = Outbox::default();
        outbox.push(&line("abc"), 100);
        assert_eq!((outbox.fewest(), outbox.fewest()), (0, 3));
        collected(&outbox);
        outbox.push(&line("de"), 100);
        assert_eq!(outbox.fewest(), 3, "it never was empty");
        outbox.sent();
        outbox.push(&line("f"), 100);
        assert_eq!((outbox.fewest(), outbox.fewest()), (2, 3), "the first was sent meanwhile");
    }
}
