//! The ground that the other tests stand on, tried first: the store is a store and fails when it
//! is told to, seen through `object_store`; the check finds what is wrong.

mod store;
mod the_check;
