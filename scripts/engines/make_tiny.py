#!/usr/bin/env python3
"""Make small GGUF models offline, for conformance tests and smoke benchmarks.

Needs the Python packages gguf and numpy; downloads nothing.

  make_tiny.py llama OUT.gguf [--layers N --embd N --ff N --heads N --kv-heads N
                               --ctx N --words N --seed N --cycle --f16]
  make_tiny.py bert  OUT.gguf [--layers N --embd N --ff N --heads N
                               --ctx N --words N --seed N --f16]

llama  a text generator (llama architecture, SentencePiece-style vocabulary of
       made-up four-letter words).  Without --cycle the weights are random: the
       output is unpredictable text, broken UTF-8 included.
       With --cycle the model is predictable: the output row of word i+1 is the
       embedding of word i and the layers add only little, so decoding walks
       the word list in order ("babe babi" -> " babo babu baca bace ..."), one
       token per word, and never emits EOS.  After any token that is not a word
       it starts at " baba".  The layers still cost their full compute.
bert   an embedding model (bert architecture, mean pooling).

--embd must be a multiple of --heads, and --heads a multiple of --kv-heads.
The same arguments give the same bytes.
"""
import argparse

import gguf
import numpy as np
from gguf import TokenType

CHAT = ("{% for m in messages %}{{ '[' + m['role'] + '] ' + m['content'] + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '[assistant] ' }}{% endif %}")


def words(n):
    c, v = "bcdfghjklmnprstvz", "aeiou"
    out = []
    for a in c:
        for b in v:
            for d in c:
                for e in v:
                    out.append(a + b + d + e)
                    if len(out) == n:
                        return out
    return out


def common(w, arch, a):
    w.add_type("model")
    w.add_name(f"tiny-{arch}")
    w.add_context_length(a.ctx)
    w.add_embedding_length(a.embd)
    w.add_block_count(a.layers)
    w.add_feed_forward_length(a.ff)
    w.add_head_count(a.heads)
    w.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if a.f16 else gguf.LlamaFileType.ALL_F32)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("arch", choices=["llama", "bert"])
    p.add_argument("out")
    p.add_argument("--layers", type=int, default=2)
    p.add_argument("--embd", type=int, default=64)
    p.add_argument("--ff", type=int, default=192)
    p.add_argument("--heads", type=int, default=4)
    p.add_argument("--kv-heads", type=int, default=2)
    p.add_argument("--ctx", type=int, default=2048)
    p.add_argument("--words", type=int, default=700)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--cycle", action="store_true")
    p.add_argument("--f16", action="store_true")
    a = p.parse_args()
    rng = np.random.default_rng(a.seed)
    w = gguf.GGUFWriter(a.out, a.arch)
    common(w, a.arch, a)
    big = np.float16 if a.f16 else np.float32
    E, F = a.embd, a.ff

    def mat(rows, cols, s):
        return (rng.standard_normal((rows, cols), dtype=np.float32) * s).astype(big)

    def vec(n, x=1.0):
        return np.full((n,), x, dtype=np.float32)

    if a.arch == "llama":
        toks, scores, types = [], [], []

        def add(t, s, ty):
            toks.append(t); scores.append(s); types.append(int(ty))

        add("<unk>", 0.0, TokenType.UNKNOWN)
        add("<s>", 0.0, TokenType.CONTROL)
        add("</s>", 0.0, TokenType.CONTROL)
        for i in range(256):
            add(f"<0x{i:02X}>", 0.0, TokenType.BYTE)
        first_char = len(toks)
        for ch in [chr(c) for c in range(33, 127)] + ["\u2581"]:
            add(ch, -10000.0, TokenType.NORMAL)
        first_word = len(toks)
        ws = words(a.words)
        # SPM merges pairs, so every prefix of a word must be a piece too
        pieces, seen = [], set(toks)
        for x in ws:
            for k in range(1, len(x) + 1):
                for q in (x[:k], "\u2581" + x[:k]):
                    if q not in seen:
                        seen.add(q); pieces.append(q)
        for i, q in enumerate(pieces):
            add(q, -float(i % 997) - 1.0 + 100.0 * len(q), TokenType.NORMAL)
        cyc = [i for i, t in enumerate(toks) if t.startswith("\u2581") and len(t) == 5]
        V = len(toks)
        w.add_vocab_size(V)
        w.add_head_count_kv(a.kv_heads)
        w.add_layer_norm_rms_eps(1e-5)
        w.add_rope_dimension_count(E // a.heads)
        w.add_rope_freq_base(10000.0)
        w.add_tokenizer_model("llama")
        w.add_tokenizer_pre("default")
        w.add_token_list(toks)
        w.add_token_scores(scores)
        w.add_token_types(types)
        w.add_bos_token_id(1); w.add_eos_token_id(2); w.add_unk_token_id(0)
        w.add_add_bos_token(True); w.add_add_eos_token(False)
        w.add_chat_template(CHAT)
        emb = rng.standard_normal((V, E), dtype=np.float32)
        out = rng.standard_normal((V, E), dtype=np.float32) * 0.05
        if a.cycle:
            nxt = {c: cyc[(i + 1) % len(cyc)] for i, c in enumerate(cyc)}
            out[:] = 0
            for c, n in nxt.items():
                out[n] += emb[c]
            # anything that is not a word leads into the cycle
            g = rng.standard_normal(E).astype(np.float32)
            others = [i for i in range(V) if i not in nxt]
            emb[others] += 3.0 * g
            out[cyc[0]] += 1.0 * g
        s = (0.02 if a.cycle else 1.0) / np.sqrt(E)
        w.add_tensor("token_embd.weight", emb.astype(big))
        w.add_tensor("output_norm.weight", vec(E))
        w.add_tensor("output.weight", out.astype(big))
        kv = E // a.heads * a.kv_heads
        for i in range(a.layers):
            b = f"blk.{i}."
            w.add_tensor(b + "attn_norm.weight", vec(E))
            w.add_tensor(b + "attn_q.weight", mat(E, E, 1 / np.sqrt(E)))
            w.add_tensor(b + "attn_k.weight", mat(kv, E, 1 / np.sqrt(E)))
            w.add_tensor(b + "attn_v.weight", mat(kv, E, 1 / np.sqrt(E)))
            w.add_tensor(b + "attn_output.weight", mat(E, E, s))
            w.add_tensor(b + "ffn_norm.weight", vec(E))
            w.add_tensor(b + "ffn_gate.weight", mat(F, E, 1 / np.sqrt(E)))
            w.add_tensor(b + "ffn_up.weight", mat(F, E, 1 / np.sqrt(E)))
            w.add_tensor(b + "ffn_down.weight", mat(E, F, s))
    else:
        toks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        types = [int(TokenType.CONTROL)] * 5
        # llama.cpp's WPM: word starts carry U+2581, continuations are bare
        for c in range(33, 127):
            toks.append("\u2581" + chr(c)); types.append(int(TokenType.NORMAL))
            toks.append(chr(c)); types.append(int(TokenType.NORMAL))
        for x in words(a.words):
            toks.append("\u2581" + x); types.append(int(TokenType.NORMAL))
        V = len(toks)
        w.add_vocab_size(V)
        w.add_causal_attention(False)
        w.add_pooling_type(gguf.PoolingType.MEAN)
        w.add_layer_norm_eps(1e-12)
        w.add_tokenizer_model("bert")
        w.add_tokenizer_pre("default")
        w.add_token_list(toks)
        w.add_token_types(types)
        w.add_token_type_count(2)
        w.add_unk_token_id(1); w.add_sep_token_id(3); w.add_pad_token_id(0)
        w.add_mask_token_id(4)
        w.add_bos_token_id(2); w.add_eos_token_id(3)
        w.add_tensor("token_embd.weight", mat(V, E, 1.0))
        w.add_tensor("token_types.weight", (rng.standard_normal((2, E)) * .1).astype(np.float32))
        w.add_tensor("position_embd.weight", (rng.standard_normal((a.ctx, E)) * .1).astype(np.float32))
        w.add_tensor("token_embd_norm.weight", vec(E)); w.add_tensor("token_embd_norm.bias", vec(E, 0))
        for i in range(a.layers):
            b = f"blk.{i}."
            for n in ("attn_q", "attn_k", "attn_v", "attn_output"):
                w.add_tensor(b + n + ".weight", mat(E, E, 1 / np.sqrt(E)))
                w.add_tensor(b + n + ".bias", vec(E, 0))
            w.add_tensor(b + "attn_output_norm.weight", vec(E)); w.add_tensor(b + "attn_output_norm.bias", vec(E, 0))
            w.add_tensor(b + "ffn_up.weight", mat(F, E, 1 / np.sqrt(E))); w.add_tensor(b + "ffn_up.bias", vec(F, 0))
            w.add_tensor(b + "ffn_down.weight", mat(E, F, 1 / np.sqrt(F))); w.add_tensor(b + "ffn_down.bias", vec(E, 0))
            w.add_tensor(b + "layer_output_norm.weight", vec(E)); w.add_tensor(b + "layer_output_norm.bias", vec(E, 0))
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
    print(a.out, "vocab", V)


if __name__ == "__main__":
    main()
