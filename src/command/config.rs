//! CONFIG: the directives at run time.

use super::spec::Spec;

pub(super) const COMMANDS: &[Spec] = &[];
