//! Commands about the server as a whole.

use super::spec::Spec;

pub(super) const COMMANDS: &[Spec] = &[];
