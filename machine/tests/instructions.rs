//! Instructions one by one: bytes and state in, state out ([`lab`]). Each family has its file.

#[path = "instructions/arith.rs"]
mod arith;
#[path = "instructions/bmi.rs"]
mod bmi;
#[path = "instructions/control.rs"]
mod control;
#[path = "instructions/data.rs"]
mod data;
#[path = "instructions/debug.rs"]
mod debug;
#[path = "instructions/fetch.rs"]
mod fetch;
#[path = "instructions/lab.rs"]
mod lab;
#[path = "instructions/machine_msrs.rs"]
mod machine_msrs;
#[path = "instructions/model.rs"]
mod model;
#[path = "instructions/plain.rs"]
mod plain;
#[path = "instructions/random.rs"]
mod random;
#[path = "instructions/row.rs"]
mod row;
#[path = "instructions/shift.rs"]
mod shift;
#[path = "instructions/sse.rs"]
mod sse;
#[path = "instructions/sse_float.rs"]
mod sse_float;
#[path = "instructions/stack.rs"]
mod stack;
#[path = "instructions/string.rs"]
mod string;
#[path = "instructions/x87.rs"]
mod x87;
#[path = "instructions/xsave.rs"]
mod xsave;
