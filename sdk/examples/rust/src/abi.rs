//! The part of llamavisor/abi.h that a context policy needs, field by field. The sizes at the end are those of
//! ABI 1.0: a later host's structs may be larger, never different up to there.
#![allow(dead_code)]

use std::ffi::{c_char, c_void};
use std::mem::size_of;

pub const ENTRY_MAGIC: u32 = 0x3176_4c4c;
pub const OK: i32 = 0;
pub const E_FAILED: i32 = -1;
pub const KEY_F64: i32 = 2;
pub const ROLE_CONTEXT: &[u8] = b"llv.context/1";
pub const MODEL_HAS_WEIGHTS: u64 = 1 << 0;
pub const MODEL_HAS_KV_PER_TOKEN: u64 = 1 << 1;
pub const MODEL_HAS_TRAINED_CONTEXT: u64 = 1 << 2;
pub const REQUEST_HAS_WISH: u64 = 1 << 0;
pub const REQUEST_HAS_DEFAULT: u64 = 1 << 1;
pub const REQUEST_HAS_ROOM: u64 = 1 << 2;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Str {
    pub data: *const c_char,
    pub size: u64,
}

#[repr(C)]
pub struct Text {
    pub struct_size: u32,
    pub capacity: u32,
    pub length: u32,
    pub reserved: u32,
    pub data: *mut c_char,
}

#[repr(C)]
pub struct Config {
    pub struct_size: u32,
    pub reserved: u32,
    pub ctx: *mut c_void,
    pub get_i64: unsafe extern "C" fn(*mut c_void, *const c_char, *mut i64) -> i32,
    pub get_f64: unsafe extern "C" fn(*mut c_void, *const c_char, *mut f64) -> i32,
    pub get_str: unsafe extern "C" fn(*mut c_void, *const c_char, *mut Str) -> i32,
    pub get_item: unsafe extern "C" fn(*mut c_void, *const c_char, u32, *mut Str) -> i32,
}

#[repr(C)]
pub struct Key {
    pub name: *const c_char,
    pub default_value: *const c_char,
    pub help: *const c_char,
    pub kind: i32,
    pub flags: u32,
    pub min: f64,
    pub max: f64,
}

#[repr(C)]
pub struct ContextModel {
    pub struct_size: u32,
    pub reserved: u32,
    pub known: u64,
    pub name: Str,
    pub weights_bytes: u64,
    pub kv_bytes_per_token: u64,
    pub trained_context: u32,
    pub parameter_num_ctx: u32,
}

#[repr(C)]
pub struct ContextRequest {
    pub struct_size: u32,
    pub reserved: u32,
    pub known: u64,
    pub wished_num_ctx: u32,
    pub default_num_ctx: u32,
    pub room_bytes: u64,
}

#[repr(C)]
pub struct ContextChoice {
    pub struct_size: u32,
    pub num_ctx: u32,
    pub reason: *mut Text,
}

/// Tables that the plugin does not look into: the host table and the snapshot.
#[repr(C)]
pub struct Opaque {
    _private: [u8; 0],
}

pub type Choose = unsafe extern "C" fn(
    *mut c_void,
    *const Opaque,
    *const ContextModel,
    *const ContextRequest,
    *mut ContextChoice,
    *mut Text,
) -> i32;

#[repr(C)]
pub struct Context {
    pub struct_size: u32,
    pub reserved: u32,
    pub choose: Choose,
}

#[repr(C)]
pub struct Plugin {
    pub struct_size: u32,
    pub flags: u32,
    pub id: *const c_char,
    pub version: *const c_char,
    pub summary: *const c_char,
    pub keys: *const Key,
    pub key_count: u32,
    pub key_stride: u32,
    pub create: unsafe extern "C" fn(*const Opaque, *const Config, *mut Text, *mut *mut c_void) -> i32,
    pub destroy: unsafe extern "C" fn(*mut c_void),
    pub get_role: unsafe extern "C" fn(*const c_char) -> *const c_void,
    pub reconfigure: Option<unsafe extern "C" fn(*mut c_void, *const Config, *mut Text) -> i32>,
    pub save: Option<unsafe extern "C" fn(*mut c_void, *mut Text) -> i32>,
    pub restore: Option<unsafe extern "C" fn(*mut c_void, Str, *mut Text) -> i32>,
}

#[repr(C)]
pub struct Entry {
    pub magic: u32,
    pub struct_size: u32,
    pub abi_major: u16,
    pub abi_minor: u16,
    pub min_host_minor: u16,
    pub reserved: u16,
    pub plugin_count: u32,
    pub reserved2: u32,
    pub plugins: *const *const Plugin,
}

/// A static table of constants and function pointers: safe to share, though it holds raw pointers.
#[repr(transparent)]
pub struct Static<T>(pub T);
unsafe impl<T> Sync for Static<T> {}

const _: () = assert!(size_of::<Text>() == 24 && size_of::<Config>() == 48 && size_of::<Key>() == 48);
const _: () = assert!(size_of::<ContextModel>() == 56 && size_of::<ContextRequest>() == 32);
const _: () = assert!(size_of::<ContextChoice>() == 16 && size_of::<Context>() == 16);
const _: () = assert!(size_of::<Plugin>() == 96 && size_of::<Entry>() == 32);

