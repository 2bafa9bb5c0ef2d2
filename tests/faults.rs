//! The world fails: the disk, the files, the system's limits, the clock. What was answered stays,
//! senders are told to come again, operators are told why, and the gateway goes on by itself.

mod clock;
mod descriptors;
mod disk;
mod files;
mod own_limits;
mod removed;
