//! Whether a store has lost records and who may write it: lock, epoch, high-water mark, backup,
//! restore, verification.

pub(super) mod backup;
pub(super) mod check;
pub(super) mod epoch;
pub(super) mod high_water_mark;
pub(super) mod level;
pub(super) mod lock;
pub(super) mod replacement;
pub(super) mod restore;
pub(super) mod verify;
