//! Commands about keys of any type.

use super::spec::Spec;

pub(super) const COMMANDS: &[Spec] = &[];
