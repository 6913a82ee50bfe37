//! How many files the process may have open: one for each client, and some more.

use redist::config::{Refusal, Settings, ValueError};
use redist::limits::RESERVED_FILES;

/// Raises the limit of open files to what `maxclients` needs, or lowers `maxclients` to what the limit
/// leaves room for; a log line says so, as Redis words it.
///
/// # Errors
/// The reason, when there is room for no client at all.
pub fn make_room(settings: &mut Settings) -> Result<(), String> {
    let wanted = files_for(settings.maxclients);
    let before = soft_limit();
    let (limit, problem) = raise(wanted);
    if limit >= wanted {
        if let Some(before) = before.filter(|before| *before < wanted) {
            log::info!(
                "Increased maximum number of open files to {limit} (it was originally set to {before})."
            );
        }
        return Ok(());
    }
    if limit <= RESERVED_FILES {
        return Err(format!(
            "Your current 'ulimit -n' of {limit} is not enough for the server to start. \
             Please increase your open file limit to at least {wanted}. Exiting."
        ));
    }
    log::warn!(
        "You requested maxclients of {} requiring at least {wanted} max file descriptors.",
        settings.maxclients
    );
    if let Some(problem) = problem {
        log::warn!(
            "Server can't set maximum open files to {wanted} because of OS error: {problem}."
        );
    }
    settings.maxclients = clients_for(limit);
    log::warn!(
        "Current maximum open files is {limit}. maxclients has been reduced to {} to compensate \
         for low ulimit. If you need higher maxclients increase 'ulimit -n'.",
        settings.maxclients
    );
    Ok(())
}

/// The same while clients are served: a `maxclients` that there is no room for is refused.
///
/// # Errors
/// Says how many there is room for.
pub fn make_room_or_refuse(old: &Settings, new: &Settings) -> Result<(), Refusal> {
    if new.maxclients <= old.maxclients {
        return Ok(());
    }
    let (limit, _) = raise(files_for(new.maxclients));
    if limit >= files_for(new.maxclients) {
        return Ok(());
    }
    let reason = format!(
        "The operating system is not able to handle the specified number of clients, try with {}",
        clients_for(limit)
    );
    Err(Refusal::value("maxclients", ValueError::from(reason)))
}

fn files_for(clients: usize) -> u64 {
    u64::try_from(clients).unwrap_or(u64::MAX).saturating_add(RESERVED_FILES)
}

fn clients_for(files: u64) -> usize {
    usize::try_from(files.saturating_sub(RESERVED_FILES)).unwrap_or(usize::MAX)
}

/// The limit after an attempt to raise it, and what stood in the way.
fn raise(wanted: u64) -> (u64, Option<std::io::Error>) {
    match rlimit::increase_nofile_limit(wanted) {
        Ok(limit) => (limit, None),
        Err(error) => (soft_limit().unwrap_or(wanted), Some(error)),
    }
}

/// `None` where there is no such limit.
#[cfg(unix)]
fn soft_limit() -> Option<u64> {
    rlimit::Resource::NOFILE.get().ok().map(|(soft, _)| soft)
}

#[cfg(not(unix))]
fn soft_limit() -> Option<u64> {
    None
}
