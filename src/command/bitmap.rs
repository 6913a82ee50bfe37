//! Bitmap commands: strings seen as bits.

use super::spec::Spec;

pub(super) const COMMANDS: &[Spec] = &[];
