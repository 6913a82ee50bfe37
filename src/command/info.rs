//! INFO: what is true of the server right now.

use super::spec::Spec;

pub(super) const COMMANDS: &[Spec] = &[];
