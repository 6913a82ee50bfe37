//! CLIENT TRACKING and what belongs to it: a client that is told when what it has read changes.

use super::super::args::Args;
use super::super::spec::Context;
use crate::error::CommandError;
use crate::instance::{Scope, TrackingOptions};
use crate::protocol::{Outcome, Reply};

/// The options of CLIENT TRACKING as they are given.
#[derive(Default)]
struct Given<'v> {
    redirect: u64,
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
    prefixes: Vec<&'v [u8]>,
}

impl<'v> Given<'v> {
    fn read(context: &Context<'_>, args: &mut Args<'v>) -> Result<Self, CommandError> {
        let mut given = Self::default();
        while !args.is_empty() {
            let has_value = args.len() > 1;
            if has_value && args.word("REDIRECT") {
                if given.redirect != 0 {
                    return Err(CommandError::SEVERAL_REDIRECTS);
                }
                let id = u64::try_from(args.integer()?).ok();
                let target = id.and_then(|id| context.instance.clients.get(id));
                given.redirect = target.ok_or(CommandError::NO_REDIRECT_TARGET)?.id;
            } else if has_value && args.word("PREFIX") {
                given.prefixes.push(args.bytes()?);
            } else if args.word("BCAST") {
                given.broadcast = true;
            } else if args.word("OPTIN") {
                given.opt_in = true;
            } else if args.word("OPTOUT") {
                given.opt_out = true;
            } else if args.word("NOLOOP") {
                given.no_loop = true;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(given)
    }

    /// What the client tracks from now on, if that goes together with what it tracked so far.
    fn scope(&self, before: Option<Scope>) -> Result<Scope, CommandError> {
        if !self.broadcast && !self.prefixes.is_empty() {
            return Err(CommandError::PREFIX_WITHOUT_BCAST);
        }
        if before.is_some_and(|before| (before == Scope::Broadcast) != self.broadcast) {
            return Err(CommandError::BCAST_SWITCHED);
        }
        if self.broadcast && (self.opt_in || self.opt_out) {
            return Err(CommandError::BCAST_WITH_OPTIONS);
        }
        if self.opt_in && self.opt_out {
            return Err(CommandError::OPTIN_AND_OPTOUT);
        }
        match before {
            Some(Scope::OptOut) if self.opt_in => return Err(CommandError::OPTION_SWITCHED),
            Some(Scope::OptIn) if self.opt_out => return Err(CommandError::OPTION_SWITCHED),
            _ => {}
        }
        Ok(match self {
            Self { broadcast: true, .. } => Scope::Broadcast,
            Self { opt_in: true, .. } => Scope::OptIn,
            Self { opt_out: true, .. } => Scope::OptOut,
            _ => Scope::Read,
        })
    }

    /// The prefixes of one client do not overlap, so that it is told of a key once.
    fn check_prefixes(&self, context: &Context<'_>) -> Result<(), CommandError> {
        let overlap = |one: &[u8], two: &[u8]| one.starts_with(two) || two.starts_with(one);
        let own = context.client.record.tracker.prefixes();
        for (index, prefix) in self.prefixes.iter().enumerate() {
            if let Some(other) = own.iter().find(|other| overlap(other, prefix)) {
                return Err(CommandError::prefixes_overlap(prefix, "an existing", other));
            }
            let mut others = self.prefixes[index + 1..].iter();
            if let Some(other) = others.find(|other| overlap(other, prefix)) {
                return Err(CommandError::prefixes_overlap(prefix, "another provided", other));
            }
        }
        Ok(())
    }
}

pub(super) fn tracking<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let status = args.bytes()?;
    let given = Given::read(context, args)?;
    if status.eq_ignore_ascii_case(b"OFF") {
        context.client.track(None);
        context.instance.tracking.stop(&context.client.record);
        return Ok(Reply::Ok);
    }
    if !status.eq_ignore_ascii_case(b"ON") {
        return Err(CommandError::Syntax);
    }
    let scope = given.scope(context.client.tracking().map(|options| options.scope))?;
    given.check_prefixes(context)?;
    let mut prefixes = given.prefixes;
    if scope == Scope::Broadcast && prefixes.is_empty() {
        prefixes.push(b"");
    }
    let options = TrackingOptions { scope, no_loop: given.no_loop, redirect: given.redirect };
    context.client.track(Some(options));
    context.instance.tracking.start(&context.client.record, options, &prefixes);
    Ok(Reply::Ok)
}

pub(super) fn caching<'v>(context: &mut Context<'_>, args: &mut Args<'v>) -> Outcome<'v> {
    let Some(options) = context.client.tracking() else {
        return Err(CommandError::CACHING_WITHOUT_TRACKING);
    };
    if args.word("YES") {
        if options.scope != Scope::OptIn {
            return Err(CommandError::CACHING_YES_WITHOUT_OPTIN);
        }
    } else if !args.word("NO") {
        return Err(CommandError::Syntax);
    } else if options.scope != Scope::OptOut {
        return Err(CommandError::CACHING_NO_WITHOUT_OPTOUT);
    }
    context.client.caching_given = true;
    Ok(Reply::Ok)
}

pub(super) fn getredir<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    Ok(Reply::Int(context.client.tracking().map_or(-1, |options| options.redirect as i64)))
}

pub(super) fn trackinginfo<'v>(context: &mut Context<'_>, _: &mut Args<'v>) -> Outcome<'v> {
    let client = &*context.client;
    let options = client.tracking();
    let scope = options.map(|options| options.scope);
    let flags = [
        ("off", options.is_none()),
        ("on", options.is_some()),
        ("bcast", scope == Some(Scope::Broadcast)),
        ("optin", scope == Some(Scope::OptIn)),
        ("caching-yes", scope == Some(Scope::OptIn) && client.caching_given),
        ("optout", scope == Some(Scope::OptOut)),
        ("caching-no", scope == Some(Scope::OptOut) && client.caching_given),
        ("noloop", options.is_some_and(|options| options.no_loop)),
        ("broken_redirect", client.record.tracker.is_broken.is_on()),
    ];
    let flags = flags.into_iter().filter(|(_, is_set)| *is_set);
    let prefixes = client.record.tracker.prefixes();
    let entry = |name: &'static str, value: Reply<'v>| (Reply::text(name), value);
    Ok(Reply::Map(vec![
        entry("flags", Reply::Set(flags.map(|(name, _)| Reply::text(name)).collect())),
        entry("redirect", Reply::Int(options.map_or(-1, |options| options.redirect as i64))),
        entry(
            "prefixes",
            Reply::Array(prefixes.iter().map(|prefix| Reply::bulk(prefix.to_vec())).collect()),
        ),
    ]))
}
