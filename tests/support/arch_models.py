"""Small GGUF models of many architectures, for the real server to load: what a forecast is measured against.

Weights are F32 and random, norms are one: the answers say nothing, but the memory is real, since a server reads all
weights into memory of its own. Key and tensor names are those of the GGUF specification and of llama.cpp's loader.
usage: arch_models.py MODELS_DIR [NAME...]      or, from Python: plant(models_dir, name)
"""
import array
import hashlib
import json
import os
import random
import struct
import sys

EMBD, FF, HEADS, KV_HEADS, HEAD_DIM, LAYERS = 512, 1536, 8, 4, 64, 6
CONTEXT = 131072
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def packed(value):
    """A header value with its type; lists hold numbers or texts of one kind."""
    if isinstance(value, bool):
        return BOOL, struct.pack("<?", value)
    if isinstance(value, int):
        return U32, struct.pack("<I", value)
    if isinstance(value, float):
        return F32, struct.pack("<f", value)
    if isinstance(value, str):
        return STRING, text(value)
    items = [packed(item) for item in value]
    return ARRAY, struct.pack("<IQ", items[0][0], len(items)) + b"".join(data for _, data in items)


def spm_tokenizer():
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)] + ["\u2581"] + [chr(c) for c in range(33, 127)]
    return {"model": "llama", "tokens": tokens, "scores": [0.0] * 259 + [-float(i) for i in range(len(tokens) - 259)],
            "token_type": [2, 3, 3] + [6] * 256 + [1] * (len(tokens) - 259), "bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0}


def word_pieces():
    letters = [chr(c) for c in range(33, 127)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + ["\u2581" + c for c in letters] + letters
    return {"model": "bert", "tokens": tokens, "token_type_count": 2, "token_type": [3] * 5 + [1] * (len(tokens) - 5), "bos_token_id": 2, "cls_token_id": 2,
            "eos_token_id": 3, "seperator_token_id": 3, "unknown_token_id": 1, "padding_token_id": 0, "mask_token_id": 4}


def base(arch, **more):
    """The keys that every architecture has; a dot in a name is written as two underscores."""
    keys = {"block_count": LAYERS, "context_length": CONTEXT, "embedding_length": EMBD, "feed_forward_length": FF,
            "attention.head_count": HEADS, "attention.head_count_kv": KV_HEADS, "attention.layer_norm_rms_epsilon": 1e-5}
    keys.update({name.replace("__", "."): value for name, value in more.items()})
    return arch, {name: value for name, value in keys.items() if value is not None}


def attention(layer, head_dim=HEAD_DIM, kv_heads=KV_HEADS, bias=(), qk_norm=False, heads=HEADS):
    b, q, kv = f"blk.{layer}.", heads * head_dim, kv_heads * head_dim
    sizes = {"q": q, "k": kv, "v": kv}
    out = [(b + "attn_norm.weight", [EMBD])]
    out += [(f"{b}attn_{part}.weight", [EMBD, size]) for part, size in sizes.items()]
    out += [(f"{b}attn_{part}.bias", [sizes.get(part, EMBD)]) for part in bias]
    if qk_norm:
        out += [(b + "attn_q_norm.weight", [head_dim]), (b + "attn_k_norm.weight", [head_dim])]
    return out + [(b + "attn_output.weight", [q, EMBD])]


def feed_forward(layer, ff=FF, norm="ffn_norm"):
    b = f"blk.{layer}."
    return [(f"{b}{norm}.weight", [EMBD])] * bool(norm) + [(b + "ffn_gate.weight", [EMBD, ff]), (b + "ffn_up.weight", [EMBD, ff]),
                                                          (b + "ffn_down.weight", [ff, EMBD])]


def experts(layer, count, ff, norm="ffn_norm", bias=False):
    b = f"blk.{layer}."
    out = [(f"{b}{norm}.weight", [EMBD]), (b + "ffn_gate_inp.weight", [EMBD, count]), (b + "ffn_gate_exps.weight", [EMBD, ff, count]),
           (b + "ffn_up_exps.weight", [EMBD, ff, count]), (b + "ffn_down_exps.weight", [ff, EMBD, count])]
    if bias:
        out += [(b + "ffn_gate_inp.bias", [count]), (b + "ffn_gate_exps.bias", [ff, count]), (b + "ffn_up_exps.bias", [ff, count]),
                (b + "ffn_down_exps.bias", [EMBD, count])]
    return out


def decoder(head, layer, tied=False, layers=LAYERS):
    return head, [tensor for i in range(layers) for tensor in layer(i)], tied


def plain(arch, tied=False, **keys):
    options = {"bias": keys.pop("bias", ()), "qk_norm": keys.pop("qk_norm", False)}
    head_dim = keys.get("attention__key_length", HEAD_DIM)
    return decoder(base(arch, **keys), lambda i: attention(i, head_dim, **options) + feed_forward(i), tied)


def gemma(arch, qk_norm, **keys):
    def layer(i):
        return (attention(i, qk_norm=qk_norm) + feed_forward(i) +
                [(f"blk.{i}.post_attention_norm.weight", [EMBD]), (f"blk.{i}.post_ffw_norm.weight", [EMBD])])
    return decoder(base(arch, attention__key_length=HEAD_DIM, attention__value_length=HEAD_DIM, **keys), layer, tied=True)


def mixtral():
    return decoder(base("llama", expert_count=4, expert_used_count=2, rope__dimension_count=HEAD_DIM, feed_forward_length=512),
                   lambda i: attention(i) + experts(i, 4, 512))


def qwen3moe():
    return decoder(base("qwen3moe", expert_count=8, expert_used_count=2, expert_feed_forward_length=256, attention__key_length=HEAD_DIM,
                        attention__value_length=HEAD_DIM), lambda i: attention(i, qk_norm=True) + experts(i, 8, 256))


def phi3():
    def layer(i):
        b = f"blk.{i}."
        return [(b + "attn_norm.weight", [EMBD]), (b + "attn_qkv.weight", [EMBD, EMBD + 2 * KV_HEADS * HEAD_DIM]),
                (b + "attn_output.weight", [EMBD, EMBD]), (b + "ffn_norm.weight", [EMBD]), (b + "ffn_up.weight", [EMBD, 2 * FF]),
                (b + "ffn_down.weight", [FF, EMBD])]
    return decoder(base("phi3", rope__dimension_count=HEAD_DIM, attention__sliding_window=2048), layer)


def gptoss():
    def layer(i):
        return (attention(i, bias=("q", "k", "v", "output")) + [(f"blk.{i}.attn_sinks.weight", [HEADS])] +
                experts(i, 4, 512, "post_attention_norm", bias=True))
    return decoder(base("gpt-oss", attention__sliding_window=128, expert_count=4, expert_used_count=2, expert_feed_forward_length=512,
                        attention__key_length=HEAD_DIM, attention__value_length=HEAD_DIM), layer)


def deepseek2():
    lora, rope, nope, value, q_lora = 128, 32, 64, 64, 256

    def layer(i):
        b = f"blk.{i}."
        out = [(b + "attn_norm.weight", [EMBD]), (b + "attn_q_a.weight", [EMBD, q_lora]), (b + "attn_q_a_norm.weight", [q_lora]),
               (b + "attn_q_b.weight", [q_lora, HEADS * (nope + rope)]), (b + "attn_kv_a_mqa.weight", [EMBD, lora + rope]),
               (b + "attn_kv_a_norm.weight", [lora]), (b + "attn_k_b.weight", [nope, lora, HEADS]),
               (b + "attn_v_b.weight", [lora, value, HEADS]), (b + "attn_output.weight", [HEADS * value, EMBD])]
        if i == 0:
            return out + feed_forward(i)
        shared = [(b + "ffn_gate_shexp.weight", [EMBD, 512]), (b + "ffn_up_shexp.weight", [EMBD, 512]),
                  (b + "ffn_down_shexp.weight", [512, EMBD])]
        return out + experts(i, 4, 512) + shared
    return decoder(base("deepseek2", leading_dense_block_count=1, vocab_size=len(spm_tokenizer()["tokens"]), attention__q_lora_rank=q_lora,
                        attention__kv_lora_rank=lora, attention__key_length=lora + rope, attention__value_length=lora,
                        attention__key_length_mla=nope + rope, attention__value_length_mla=value, attention__head_count_kv=1,
                        rope__dimension_count=rope, expert_count=4, expert_used_count=2, expert_shared_count=1,
                        expert_feed_forward_length=512, expert_weights_scale=1.0), layer)


INNER, STATE, CONV, GROUPS, SSM_HEADS = 1024, 64, 4, 1, 16


def mamba():
    rank = 32

    def layer(i):
        b = f"blk.{i}."
        return [(b + "attn_norm.weight", [EMBD]), (b + "ssm_in.weight", [EMBD, 2 * INNER]), (b + "ssm_conv1d.weight", [CONV, INNER]),
                (b + "ssm_conv1d.bias", [INNER]), (b + "ssm_x.weight", [INNER, rank + 2 * STATE]), (b + "ssm_dt.weight", [rank, INNER]),
                (b + "ssm_dt.bias", [INNER]), (b + "ssm_a", [STATE, INNER]), (b + "ssm_d", [INNER]), (b + "ssm_out.weight", [INNER, EMBD])]
    return decoder(base("mamba", attention__head_count=0, attention__head_count_kv=None, feed_forward_length=0, block_count=8,
                        ssm__conv_kernel=CONV, ssm__inner_size=INNER, ssm__state_size=STATE, ssm__time_step_rank=rank), layer, layers=8)


def mamba2_layer(i):
    b, channels = f"blk.{i}.", INNER + 2 * GROUPS * STATE
    return [(b + "attn_norm.weight", [EMBD]), (b + "ssm_in.weight", [EMBD, INNER + channels + SSM_HEADS]),
            (b + "ssm_conv1d.weight", [CONV, channels]), (b + "ssm_conv1d.bias", [channels]), (b + "ssm_dt.bias", [SSM_HEADS]),
            (b + "ssm_a", [1, SSM_HEADS]), (b + "ssm_d", [1, SSM_HEADS]), (b + "ssm_norm.weight", [INNER // GROUPS, GROUPS]),
            (b + "ssm_out.weight", [INNER, EMBD])]


def granite_hybrid():
    kv = [KV_HEADS if i in (2, 5) else 0 for i in range(LAYERS)]
    return decoder(base("granitehybrid", attention__head_count_kv=kv, ssm__conv_kernel=CONV, ssm__inner_size=INNER, ssm__state_size=STATE,
                        ssm__time_step_rank=SSM_HEADS, ssm__group_count=GROUPS, rope__dimension_count=HEAD_DIM, logit_scale=1.0,
                        residual_scale=1.0, embedding_scale=1.0, attention__scale=0.125),
                   lambda i: (attention(i) if kv[i] else mamba2_layer(i)) + feed_forward(i))


def lfm2():
    kv = [KV_HEADS if i in (2, 5) else 0 for i in range(LAYERS)]

    def layer(i):
        b = f"blk.{i}."
        short = [(b + "attn_norm.weight", [EMBD]), (b + "shortconv.conv.weight", [3, EMBD]), (b + "shortconv.in_proj.weight", [EMBD, 3 * EMBD]),
                 (b + "shortconv.out_proj.weight", [EMBD, EMBD])]
        return (attention(i, qk_norm=True) if kv[i] else short) + feed_forward(i)
    return decoder(base("lfm2", attention__head_count_kv=kv, shortconv__l_cache=3, vocab_size=len(spm_tokenizer()["tokens"])), layer, tied=True)


def encoder(arch, gated):
    context = 8192 if gated else 2048

    def both(name, size):
        return [(name + ".weight", [size]), (name + ".bias", [size])]

    def layer(i):
        b = f"blk.{i}."
        if gated:
            out = [(b + "attn_qkv.weight", [EMBD, 3 * EMBD]), (b + "attn_output.weight", [EMBD, EMBD])] + feed_forward(i, norm="")
        else:
            out = [item for part in ("q", "k", "v", "output") for item in ((f"{b}attn_{part}.weight", [EMBD, EMBD]), (f"{b}attn_{part}.bias", [EMBD]))]
            out += [(b + "ffn_up.weight", [EMBD, FF]), (b + "ffn_up.bias", [FF]), (b + "ffn_down.weight", [FF, EMBD]), (b + "ffn_down.bias", [EMBD])]
        return out + both(b + "attn_output_norm", EMBD) + both(b + "layer_output_norm", EMBD)
    head, tensors, _ = decoder(base(arch, context_length=context, attention__head_count_kv=None, attention__layer_norm_rms_epsilon=None,
                                    attention__layer_norm_epsilon=1e-5, attention__causal=False, pooling_type=1,
                                    **({"rope__freq_base": 1000.0} if gated else {})), layer)
    tensors += both("token_embd_norm", EMBD) + [("token_types.weight", [EMBD, 2])]
    return head, tensors + ([] if gated else [("position_embd.weight", [EMBD, context])]), True


HEAD_SIZES = {"attention__key_length": HEAD_DIM, "attention__value_length": HEAD_DIM}
MODELS = {
    "llama": lambda: plain("llama", rope__dimension_count=HEAD_DIM),
    "mixtral": mixtral,
    "qwen2": lambda: plain("qwen2", bias=("q", "k", "v")),
    "qwen3": lambda: plain("qwen3", qk_norm=True, attention__key_length=128, attention__value_length=128),
    "qwen3moe": qwen3moe,
    "gemma2": lambda: gemma("gemma2", False, attention__sliding_window=1024, attn_logit_softcapping=50.0, final_logit_softcapping=30.0),
    "gemma3": lambda: gemma("gemma3", True, attention__sliding_window=512),
    "cohere2": lambda: decoder(base("cohere2", attention__sliding_window=1024, logit_scale=0.25, rope__dimension_count=HEAD_DIM,
                                    attention__layer_norm_epsilon=1e-5, **HEAD_SIZES),
                               lambda i: attention(i) + feed_forward(i, norm=""), tied=True),
    "phi3": phi3,
    "gptoss": gptoss,
    "deepseek2": deepseek2,
    "mamba": mamba,
    "granitehybrid": granite_hybrid,
    "lfm2": lfm2,
    "bert": lambda: encoder("bert", False),
    "nomic-bert": lambda: encoder("nomic-bert", True),
}


def header_and_sizes(name):
    (arch, keys), tensors, tied = MODELS[name]()
    tokenizer = word_pieces() if "bert" in arch else spm_tokenizer()
    vocabulary = len(tokenizer["tokens"])
    tensors = [("token_embd.weight", [EMBD, vocabulary])] + ([] if tied else [("output.weight", [EMBD, vocabulary])]) + tensors
    if "bert" not in arch:
        tensors.append(("token_embd_norm.weight" if arch == "lfm2" else "output_norm.weight", [EMBD]))
    pairs = {"general.architecture": arch, "general.name": "made", "general.file_type": 0}
    pairs.update({f"{arch}.{key}": value for key, value in keys.items()})
    pairs.update({f"tokenizer.ggml.{key}": value for key, value in tokenizer.items()})
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(pairs))
    for key, value in pairs.items():
        kind, data = packed(value)
        if key.endswith(".token_type"):
            data = struct.pack("<I", I32) + data[4:]  # era b reads them as signed numbers and no others
        head += text(key) + struct.pack("<I", kind) + data
    offset, plan = 0, []
    for tensor, shape in tensors:
        count = 1
        for size in shape:
            count *= size
        head += text(tensor) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", size) for size in shape) + struct.pack("<IQ", 0, offset)
        plan.append((tensor, count))
        offset += (4 * count + 31) // 32 * 32
    return arch, head + bytes(-len(head) % 32), plan


def write_blob(models_dir, data):
    digest = hashlib.sha256()
    path = os.path.join(models_dir, "blobs", f".tmp-{os.getpid()}")
    with open(path, "wb") as file:
        for piece in data:
            file.write(piece)
            digest.update(piece)
        size = file.tell()
    os.rename(path, os.path.join(models_dir, "blobs", "sha256-" + digest.hexdigest()))
    return {"digest": "sha256:" + digest.hexdigest(), "size": size}


def weights(plan):
    pool = array.array("f", (random.Random(1).gauss(0, 0.02) for _ in range(1 << 16))).tobytes()
    for tensor, count in plan:
        if "norm" in tensor and tensor.endswith("weight"):
            data = struct.pack("<f", 1.0) * count
        elif tensor.endswith(("bias", "ssm_a", "ssm_d")):
            data = bytes(4 * count)  # a random decay would grow without end
        else:
            data = (pool * (4 * count // len(pool) + 1))[:4 * count]
        yield data + bytes(-4 * count % 32)


def plant(models_dir, name):
    """Writes blob, config and manifest as `ollama create` does; returns the path of the blob."""
    os.makedirs(os.path.join(models_dir, "blobs"), exist_ok=True)
    arch, head, plan = header_and_sizes(name)
    model = write_blob(models_dir, [head, *weights(plan)])
    config = write_blob(models_dir, [json.dumps({
        "model_format": "gguf", "model_family": arch, "model_families": [arch], "model_type": f"{model['size'] // 4000000}M", "file_type": "F32",
        "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [model["digest"]]}}).encode()])
    folder = os.path.join(models_dir, "manifests/registry.ollama.ai/library", name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "latest"), "w") as file:
        json.dump({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                   "config": {"mediaType": "application/vnd.docker.container.image.v1+json", **config},
                   "layers": [{"mediaType": "application/vnd.ollama.image.model", **model}]}, file)
    return os.path.join(models_dir, "blobs", model["digest"].replace(":", "-"))


if __name__ == "__main__":
    for wanted in sys.argv[2:] or MODELS:
        print(wanted, plant(sys.argv[1], wanted))
