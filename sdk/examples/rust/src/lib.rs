//! fit_context: a context policy in Rust over the C ABI, without any crate. A request without a wish gets the
//! largest power of two of tokens whose KV cache fits in `share` of the room that the weights leave.
mod abi;

use abi::*;
use std::ffi::{c_char, c_void, CStr};
use std::mem::size_of;
use std::panic::catch_unwind;
use std::ptr::{addr_of, null};

/// A literal as a C string.
macro_rules! c_str {
    ($text:literal) => {
        concat!($text, "\0").as_ptr().cast::<c_char>()
    };
}

const LEAST: u32 = 2048;
const MOST: u32 = 131_072;

struct FitContext {
    share: f64,
}

/// What is known of a load; what is not known is none, not zero.
#[derive(Clone, Copy)]
struct Load {
    wish: Option<u32>,
    by_default: Option<u32>,
    trained: Option<u32>,
    kv_bytes_per_token: Option<u64>,
    left_bytes: Option<u64>,
}

fn known<T>(mask: u64, bit: u64, value: T) -> Option<T> {
    (mask & bit != 0).then_some(value)
}

impl Load {
    fn of(model: &ContextModel, request: &ContextRequest) -> Load {
        let room = known(request.known, REQUEST_HAS_ROOM, request.room_bytes);
        let weights = known(model.known, MODEL_HAS_WEIGHTS, model.weights_bytes);
        Load {
            wish: known(request.known, REQUEST_HAS_WISH, request.wished_num_ctx),
            by_default: known(request.known, REQUEST_HAS_DEFAULT, request.default_num_ctx),
            trained: known(model.known, MODEL_HAS_TRAINED_CONTEXT, model.trained_context),
            kv_bytes_per_token: known(model.known, MODEL_HAS_KV_PER_TOKEN, model.kv_bytes_per_token),
            left_bytes: room.zip(weights).map(|(room, weights)| room.saturating_sub(weights)),
        }
    }
}

impl FitContext {
    fn choose(&self, load: Load) -> (u32, &'static str) {
        let most = load.trained.unwrap_or(MOST).min(MOST);
        if let Some(wish) = load.wish {
            return (wish.clamp(1, most), "as was wished");
        }
        let (kv, left) = match (load.kv_bytes_per_token, load.left_bytes) {
            (Some(kv), Some(left)) => (kv, left),
            _ => return (load.by_default.unwrap_or(LEAST).clamp(1, most), "its memory is not known"),
        };
        let fits = |tokens: u32| (kv as f64) * f64::from(tokens) <= (left as f64) * self.share;
        let mut tokens = LEAST.min(most);
        while tokens * 2 <= most && fits(tokens * 2) {
            tokens *= 2;
        }
        (tokens, "the most that fits")
    }
}

/// Copies text into the caller's buffer, as much as there is room for; the texts here are ASCII.
unsafe fn put(out: *mut Text, text: &str) {
    let size = text.len().min((*out).capacity as usize);
    std::ptr::copy_nonoverlapping(text.as_ptr().cast(), (*out).data, size);
    (*out).length = size as u32;
}

unsafe extern "C" fn choose(
    this: *mut c_void,
    _snapshot: *const Opaque,
    model: *const ContextModel,
    request: *const ContextRequest,
    out: *mut ContextChoice,
    error: *mut Text,
) -> i32 {
    let policy = &*this.cast::<FitContext>();
    let load = Load::of(&*model, &*request);
    match catch_unwind(|| policy.choose(load)) {
        Ok((num_ctx, reason)) => {
            (*out).num_ctx = num_ctx;
            put((*out).reason, reason);
            OK
        }
        Err(_) => {
            put(error, "a panic in choose()");
            E_FAILED
        }
    }
}

unsafe extern "C" fn create(
    _host: *const Opaque,
    config: *const Config,
    error: *mut Text,
    this: *mut *mut c_void,
) -> i32 {
    let mut share = 0.0;
    let code = ((*config).get_f64)((*config).ctx, c_str!("share"), &mut share);
    if code < 0 {
        put(error, "share: no value");
        return code;
    }
    *this = Box::into_raw(Box::new(FitContext { share })).cast();
    OK
}

unsafe extern "C" fn destroy(this: *mut c_void) {
    drop(Box::from_raw(this.cast::<FitContext>()));
}

static CONTEXT: Context = Context { struct_size: size_of::<Context>() as u32, reserved: 0, choose };

unsafe extern "C" fn get_role(role_id: *const c_char) -> *const c_void {
    if CStr::from_ptr(role_id).to_bytes() == ROLE_CONTEXT {
        return addr_of!(CONTEXT).cast();
    }
    null()
}

static KEYS: Static<[Key; 1]> = Static([Key {
    name: c_str!("share"),
    default_value: c_str!("0.5"),
    help: c_str!("how much of the free room the context may take"),
    kind: KEY_F64,
    flags: 0,
    min: 0.05,
    max: 1.0,
}]);

static PLUGIN: Static<Plugin> = Static(Plugin {
    struct_size: size_of::<Plugin>() as u32,
    flags: 0,
    id: c_str!("fit_context"),
    version: c_str!("1.0.0"),
    summary: c_str!("Gives the largest context that fits (an example in Rust)"),
    keys: addr_of!(KEYS).cast(),
    key_count: 1,
    key_stride: size_of::<Key>() as u32,
    create,
    destroy,
    get_role,
    reconfigure: None,
    save: None,
    restore: None,
});

static PLUGINS: Static<[*const Plugin; 1]> = Static([addr_of!(PLUGIN).cast()]);

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static llv_plugin_entry_v1: Static<Entry> = Static(Entry {
    magic: ENTRY_MAGIC,
    struct_size: size_of::<Entry>() as u32,
    abi_major: 1,
    abi_minor: 0,
    min_host_minor: 0,
    reserved: 0,
    plugin_count: 1,
    reserved2: 0,
    plugins: addr_of!(PLUGINS).cast(),
});
