//! CLIENT: who is connected.

use super::spec::Spec;

pub(super) const COMMANDS: &[Spec] = &[];
