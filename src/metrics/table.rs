//! The table: a metric, a row. Its order is the one in which people read them.

use super::Better::{Less, More, Neither};
use super::{Better, Definition, Form, Kind, Line, Of, Section, unit};

/// What values are: their unit, how a bound on them is written, and how people read them.
#[derive(Clone, Copy)]
struct In(&'static str, Kind, Form);

const TIME: In = In(unit::MICROS, Kind::Time, Form::InUnit);
const TOKENS: In = In(unit::TOKENS, Kind::Number, Form::InUnit);
const REQUEST_RATE: In = In(unit::REQUESTS_PER_S, Kind::PerSecond, Form::InUnit);
const TOKEN_RATE: In = In(unit::TOKENS_PER_S, Kind::PerSecond, Form::InUnit);
const REQUEST: In = In(unit::REQUESTS, Kind::Number, Form::InUnit);
const SHARE: In = In(unit::ONE, Kind::Share, Form::InUnit);
const SCORE: In = In(unit::ONE, Kind::Number, Form::Score);
const RATIO: In = In(unit::ONE, Kind::Number, Form::Ratio);
const COUNT: In = In(unit::ONE, Kind::Number, Form::Count);
const BYTES: In = In(unit::BYTES, Kind::Bytes, Form::InUnit);
const BYTES_PER_H: In = In(unit::BYTES_PER_H, Kind::Bytes, Form::InUnit);

/// A number in a unit that bounds are written without.
const fn number(unit: &'static str) -> In {
    In(unit, Kind::Number, Form::InUnit)
}

/// A distribution over the answered requests.
const fn spread(
    id: &'static str,
    label: &'static str,
    In(unit, kind, form): In,
    better: Better,
    about: &'static str,
) -> Definition {
    Definition {
        id,
        label,
        unit,
        better,
        kind,
        spread: true,
        exact: false,
        of: Of::Answers,
        from_plan: false,
        about,
        compared: &[],
        slo: false,
        followed: &[],
        section: Section::Engine,
        shown: &[],
        form,
    }
}

/// One value that is estimated from the requests.
const fn one(id: &'static str, label: &'static str, of: In, better: Better, about: &'static str) -> Definition {
    Definition { spread: false, of: Of::Run, ..spread(id, label, of, better, about) }
}

/// One value that was counted, or read of the whole run.
const fn exact(id: &'static str, label: &'static str, of: In, better: Better, about: &'static str) -> Definition {
    Definition { exact: true, ..one(id, label, of, better, about) }
}

const fn line(path: &'static str, label: &'static str) -> Line {
    Line { path, label }
}

impl Definition {
    const fn of(self, of: Of) -> Self {
        Self { of, ..self }
    }

    const fn planned(self) -> Self {
        Self { from_plan: true, ..self }
    }

    const fn compared(self, compared: &'static [&'static str]) -> Self {
        Self { compared, ..self }
    }

    const fn slo(self) -> Self {
        Self { slo: true, ..self }
    }

    const fn followed(self, followed: &'static [&'static str]) -> Self {
        Self { followed, ..self }
    }

    const fn shown(self, section: Section, shown: &'static [Line]) -> Self {
        Self { section, shown, ..self }
    }
}

macro_rules! table {
    ($($name:ident = $definition:expr;)*) => {
        $(#[doc = concat!("`", stringify!($name), "`, as its row says.")] pub const $name: Definition = $definition;)*

        /// Every metric.
        pub const METRICS: &[Definition] = &[$($name),*];
    };
}

table! {
    LATENCY = spread("latency", "latency", TIME, Less,
        "from the last byte of the request sent to the end of the answer")
        .compared(&["latency.p50", "latency.p95", "latency.mean"])
        .slo()
        .followed(&["latency.p50", "latency.p95"])
        .shown(Section::Wait, &[
            line("latency.p50", "latency p50"),
            line("latency.p95", "latency p95"),
            line("latency.p99", "latency p99"),
            line("latency.mean", "latency mean"),
        ]);
    RESPONSE = spread("response", "response time", TIME, Less, "from the planned instant to the end of the answer")
        .planned()
        .compared(&["response.p50", "response.p95", "response.mean"])
        .slo()
        .shown(Section::Wait, &[
            line("response.p50", "response time p50"),
            line("response.p95", "response time p95"),
            line("response.p99", "response time p99"),
            line("response.mean", "response time mean"),
        ]);
    TTFT = spread("ttft", "TTFT", TIME, Less, "from sent to the first non-empty text of a stream")
        .compared(&["ttft.p50", "ttft.p95"])
        .slo()
        .followed(&["ttft.p50"])
        .shown(Section::Wait, &[line("ttft.p50", "TTFT p50"), line("ttft.p95", "TTFT p95")]);
    TTFAT = spread("ttfat", "TTFT (answer)", TIME, Less,
        "from sent to the first non-empty text of a stream that isn't reasoning")
        .compared(&["ttfat.p50"])
        .shown(Section::Wait, &[line("ttfat.p50", "TTFT (answer) p50"), line("ttfat.p95", "TTFT (answer) p95")]);
    TTFT_FIRST = spread("ttft_first", "TTFT (prefix, first)", TIME, Less,
        "TTFT of the first request of each group that shares a prefix")
        .shown(Section::Wait, &[line("ttft_first.p50", "TTFT (prefix, first) p50")]);
    TTFT_LATER = spread("ttft_later", "TTFT (prefix, later)", TIME, Less,
        "TTFT of the requests that were sent after one of their group had been answered")
        .compared(&["ttft_later.p50"])
        .shown(Section::Wait, &[line("ttft_later.p50", "TTFT (prefix, later) p50")]);
    RESPONSE_TTFT = spread("response_ttft", "response TTFT", TIME, Less,
        "from the planned instant to the first non-empty text of a stream")
        .planned()
        .compared(&["response_ttft.p50", "response_ttft.p95"])
        .shown(Section::Wait, &[line("response_ttft.p50", "response TTFT p50"), line("response_ttft.p95", "response TTFT p95")]);
    LAST_TOKEN = spread("last_token", "last token", TIME, Less, "from sent to the last non-empty text of a stream");
    RESPONSE_LAST_TOKEN = spread("response_last_token", "response last token", TIME, Less,
        "from the planned instant to the last non-empty text of a stream")
        .planned();
    ITL = spread("itl", "ITL", TIME, Less,
        "every time between two neighbouring pieces of text (tokens, where a stream brings them singly) of all answers; an SLO is on an \
         answer's mean")
        .compared(&["itl.mean"])
        .slo()
        .shown(Section::Wait, &[line("itl.mean", "ITL mean"), line("itl.p99", "ITL p99")]);
    TPOT = spread("tpot", "TPOT", TIME, Less,
        "time per output token of a request: (last token - first token) / (tokens - 1)")
        .compared(&["tpot.mean"])
        .slo()
        .shown(Section::Wait, &[line("tpot.mean", "TPOT mean")]);
    ITL_MAX = spread("itl_max", "ITL max", TIME, Less, "longest time between two pieces of text of an answer")
        .slo()
        .shown(Section::Wait, &[line("itl_max.p95", "ITL max p95")]);
    CONNECT = spread("connect", "connect", TIME, Less,
        "time to open a connection, where one was opened; not part of any latency");
    LATENCY_OR_FAILED = spread("latency_or_failed", "latency or failed", TIME, Less,
        "latency over all requests: a failed one counts as infinitely slow")
        .of(Of::Run);
    RESPONSE_OR_FAILED = spread("response_or_failed", "response or failed", TIME, Less,
        "response time over all requests: a failed or unsent one counts as infinitely slow")
        .of(Of::Run);

    REQUESTS_PER_S = one("requests_per_s", "requests/s", REQUEST_RATE, More,
        "complete answers per second of the measured window; one that crosses its edge counts in part")
        .compared(&["requests_per_s"])
        .shown(Section::Rate, &[line("requests_per_s", "requests/s")]);
    GOODPUT = one("goodput", "goodput", REQUEST_RATE, More,
        "answers per second that met every limit of `slo`")
        .compared(&["goodput"])
        .slo()
        .shown(Section::Rate, &[line("goodput", "goodput")]);
    GOODPUT_SHARE = one("goodput_share", "goodput share", SHARE, More,
        "share of all measured requests that were answered and met every limit of `slo`")
        .shown(Section::Rate, &[line("goodput_share", "  of requests")]);
    OUTPUT_TOKENS_PER_S = one("output_tokens_per_s", "output tokens/s", TOKEN_RATE, More,
        "output tokens of all users per second of the measured window, by the engine's count")
        .compared(&["output_tokens_per_s"])
        .shown(Section::Rate, &[line("output_tokens_per_s", "output tokens/s")]);
    PROMPT_TOKENS_PER_S = one("prompt_tokens_per_s", "prompt tokens/s", TOKEN_RATE, More,
        "prompt tokens of all users per second of the measured window, by the engine's count")
        .shown(Section::Rate, &[line("prompt_tokens_per_s", "prompt tokens/s")]);
    TOKENS_PER_S = spread("tokens_per_s", "tokens/s per request", TOKEN_RATE, More,
        "output tokens of a request ÷ its latency")
        .compared(&["tokens_per_s.p50"])
        .slo()
        .shown(Section::Rate, &[line("tokens_per_s.p50", "tokens/s per request p50")]);
    PREFILL_TOKENS_PER_S = spread("prefill_tokens_per_s", "prefill tokens/s", TOKEN_RATE, More,
        "prompt tokens of a request, without cached ones, per second until its first token")
        .shown(Section::Rate, &[line("prefill_tokens_per_s.p50", "prefill tokens/s p50")]);
    DECODE_TOKENS_PER_S = spread("decode_tokens_per_s", "decode tokens/s", TOKEN_RATE, More,
        "(tokens - 1) of a request per second between its first token and its last")
        .shown(Section::Rate, &[line("decode_tokens_per_s.p50", "decode tokens/s p50")]);

    ERROR_RATE = one("error_rate", "errors", SHARE, Less,
        "share of the requests without a complete answer")
        .slo()
        .shown(Section::Answers, &[line("error_rate", "errors")]);
    ACCURACY = one("accuracy", "accuracy", SHARE, More, "share of the answers with the expected label")
        .of(Of::Content)
        .shown(Section::Answers, &[line("accuracy", "accuracy"), line("accuracy.interval", "  95 % interval")]);
    ACCURACY_COMMONEST = exact("accuracy_commonest", "accuracy commonest", SHARE, Neither,
        "share of the commonest expected label: the accuracy of always answering with it")
        .of(Of::Content)
        .shown(Section::Answers, &[line("accuracy_commonest", "  commonest label")]);
    MACRO_F1 = one("macro_f1", "macro F1", SCORE, More,
        "mean over the labels of F1 (harmonic mean of precision and recall)")
        .of(Of::Content)
        .shown(Section::Answers, &[line("macro_f1", "macro F1")]);
    UNPARSED_RATE = one("unparsed_rate", "unparsed", SHARE, Less,
        "share of the answers without a readable label")
        .of(Of::Content)
        .shown(Section::Answers, &[line("unparsed_rate", "unparsed")]);
    AGREEMENT = one("agreement", "agreement", SHARE, More,
        "share of the items, with a label from both targets, for which the reference gave the same label")
        .of(Of::Content)
        .shown(Section::Answers, &[line("agreement", "agreement")]);
    SAME_ANSWERS = one("same_answers", "same answers", SHARE, More,
        "share of the answers that are identical to the reference's, word for word")
        .of(Of::Content)
        .shown(Section::Answers, &[line("same_answers", "same answers")]);
    ANSWER_SIMILARITY = one("answer_similarity", "answer similarity", SCORE, More,
        "mean of 1 - edit distance (Levenshtein) ÷ length of the longer answer, with the reference's answer to the same request, over \
         the kept answers of the first 100 requests (their first 2,000 characters)")
        .of(Of::Content)
        .shown(Section::Answers, &[line("answer_similarity", "answer similarity")]);
    ANSWER_LOGPROB = one("answer_logprob", "answer logprob", SCORE, Neither,
        "mean log-probability (natural logarithm) of an answer's tokens, as its engine reports it (`logprobs: true`)")
        .of(Of::Content)
        .shown(Section::Answers, &[line("answer_logprob", "own answer's logprob")]);
    VALID_JSON = one("valid_json", "valid json", SHARE, More,
        "share of the answers that are valid JSON by the schema that was sent, whatever their label")
        .of(Of::Content)
        .shown(Section::Answers, &[line("valid_json", "valid JSON")]);
    COSINE = spread("cosine", "cosine", SCORE, More, "cosine of an item's embedding with the reference's")
        .of(Of::Content)
        .shown(Section::Answers, &[line("cosine.p50", "cosine p50"), line("cosine.min", "cosine lowest")]);
    COSINE_UNDEFINED = exact("cosine_undefined", "cosine undefined", COUNT, Less,
        "pairs of embeddings that have no cosine")
        .shown(Section::Answers, &[line("cosine_undefined", "  undefined")]);
    REQUESTED_PROMPT_TOKENS = spread("requested_prompt_tokens", "requested prompt tokens", TOKENS, Neither,
        "tokens that the scenario requests for the whole prompt")
        .of(Of::Content)
        .shown(Section::Answers, &[line("requested_prompt_tokens.mean", "requested prompt tokens, mean")]);
    PROMPT_TOKENS = spread("prompt_tokens", "prompt tokens", TOKENS, Neither,
        "prompt tokens of a request, by the engine's count")
        .of(Of::Content)
        .shown(Section::Answers, &[line("prompt_tokens.mean", "prompt tokens, mean")]);
    OUTPUT_TOKENS = spread("output_tokens", "output tokens", TOKENS, Neither,
        "output tokens of a request, by the engine's count")
        .of(Of::Content)
        .shown(Section::Answers, &[line("output_tokens.mean", "output tokens, mean")]);
    CACHED_FIRST = spread("cached_first", "cached tokens (prefix, first)", TOKENS, Neither,
        "cached prompt tokens, by the engine's count, of the first request of each group that shares a prefix")
        .of(Of::Content)
        .shown(Section::Answers, &[line("cached_first.mean", "cached (prefix, first), mean")]);
    CACHED_LATER = spread("cached_later", "cached tokens (prefix, later)", TOKENS, Neither,
        "cached prompt tokens of the requests that were sent after one of their group had been answered")
        .of(Of::Content)
        .shown(Section::Answers, &[line("cached_later.mean", "cached (prefix, later), mean")]);
    THOUGHT_TOKENS = spread("thought_tokens", "thought tokens", TOKENS, Neither,
        "reasoning tokens of an answer, by the engine's count; only answers that have any")
        .of(Of::Content)
        .shown(Section::Answers, &[line("thought_tokens.mean", "thought tokens, mean")]);
    ANSWER_TOKENS = spread("answer_tokens", "answer tokens", TOKENS, Neither,
        "output tokens minus thought tokens; only answers with both counts")
        .of(Of::Content)
        .shown(Section::Answers, &[line("answer_tokens.mean", "answer tokens, mean")]);
    THOUGHT_PIECES = spread("thought_pieces", "thought pieces", COUNT, Neither,
        "pieces of reasoning in a stream, only answers that have any; not a token count")
        .of(Of::Content)
        .shown(Section::Answers, &[line("thought_pieces.mean", "thought pieces, mean")]);
    DIMENSIONS = spread("dimensions", "dimensions", COUNT, Neither, "numbers in an embedding")
        .of(Of::Content);
    CACHED_SHARE = one("cached_share", "cached share", SHARE, Neither,
        "share of the prompt tokens that the engine reports as cached")
        .of(Of::Answers);
    DRAFT_ACCEPTANCE = one("draft_acceptance", "draft acceptance", SHARE, More,
        "share of the drafted tokens (speculative decoding) that the model accepted, by the engine's count")
        .of(Of::Answers)
        .shown(Section::Engine, &[line("draft_acceptance", "draft acceptance")]);

    REQUESTS = exact("requests", "requests", REQUEST, Neither, "measured requests");
    OK = exact("ok", "ok", REQUEST, Neither, "measured requests with a complete answer");
    OUTCOME_OK = exact("outcome_ok", "outcome ok", REQUEST, Neither, "requests that ended with a complete answer");
    OUTCOME_CONNECT = exact("outcome_connect", "outcome connect", REQUEST, Less,
        "requests for which no connection could be opened");
    OUTCOME_ERROR_FRAME = exact("outcome_error_frame", "outcome error frame", REQUEST, Less,
        "requests that ended with an error inside the answer");
    OUTCOME_HTTP_STATUS = exact("outcome_http_status", "outcome http status", REQUEST, Less,
        "requests answered with an HTTP error status");
    OUTCOME_REJECTED = exact("outcome_rejected", "outcome rejected", REQUEST, Less,
        "requests that the engine rejected because it was busy");
    OUTCOME_TIMEOUT = exact("outcome_timeout", "outcome timeout", REQUEST, Less,
        "requests without an answer in the time allowed");
    OUTCOME_TRUNCATED = exact("outcome_truncated", "outcome truncated", REQUEST, Less,
        "requests whose answer was cut off");
    OUTCOME_UNPARSED = exact("outcome_unparsed", "outcome unparsed", REQUEST, Less,
        "requests whose answer has no readable label or vector");
    OUTCOME_UNSENT = exact("outcome_unsent", "outcome unsent", REQUEST, Less,
        "requests that loadcmp could not send because of a limit on its side; not a failure of the engine");
    OUTCOME_UNFINISHED = exact("outcome_unfinished", "outcome unfinished", REQUEST, Neither,
        "requests still open when the run ended; not a failure of the engine");
    RETRIES = exact("retries", "retries", REQUEST, Less, "requests that were sent again");
    WARMUP_REQUESTS = exact("warmup_requests", "warmup requests", REQUEST, Neither,
        "requests before the measured window");
    WINDOW = exact("window", "window", TIME, Neither, "length of the measured window");

    TIME_WHOLE = one("time_whole", "time whole", TIME, Less, "mean time of a request, all parts together")
        .of(Of::Answers)
        .shown(Section::Spent, &[line("time_whole", "time per request")]);
    TIME_CONNECTION = one("time_connection", "time connection", TIME, Less,
        "mean time to open a connection")
        .of(Of::Answers)
        .shown(Section::Spent, &[line("time_connection", "  connection")]);
    TIME_CLIENT = one("time_client", "time client", TIME, Less,
        "mean send lag of loadcmp, without connections")
        .of(Of::Answers)
        .shown(Section::Spent, &[line("time_client", "  client")]);
    TIME_QUEUE = one("time_queue", "time queue", TIME, Less,
        "mean of the engine's total minus its reported parts: mostly waiting for a slot; derived")
        .of(Of::Answers)
        .shown(Section::Spent, &[line("time_queue", "  queue (derived)")]);
    TIME_LOAD = one("time_load", "time load", TIME, Less,
        "mean time to load the model, by the engine's own clock")
        .of(Of::Answers)
        .shown(Section::Spent, &[line("time_load", "  model load")]);
    TIME_PROMPT = one("time_prompt", "time prompt", TIME, Less, "mean time to process the prompt, by the engine's own clock")
        .of(Of::Answers)
        .shown(Section::Spent, &[line("time_prompt", "  prefill")]);
    TIME_DECODE = one("time_decode", "time decode", TIME, Less,
        "mean time of the output: from first to last token of a stream, otherwise by the engine's own clock")
        .of(Of::Answers)
        .shown(Section::Spent, &[line("time_decode", "  decode")]);
    TIME_TAIL = one("time_tail", "time tail", TIME, Less, "mean time from the last token to the end of a stream")
        .of(Of::Answers)
        .shown(Section::Spent, &[line("time_tail", "  tail")]);
    TIME_OTHER = one("time_other", "time other", TIME, Less, "mean time in none of the other parts")
        .of(Of::Answers)
        .shown(Section::Spent, &[line("time_other", "  other")]);

    CPU_CORES = exact("cpu_cores", "CPU cores", number(unit::CORES), Less,
        "CPU time of the engine's processes ÷ measured time")
        .shown(Section::Cost, &[line("cpu_cores", "CPU")]);
    CPU_PER_REQUEST = exact("cpu_per_request", "CPU per request", TIME, Less,
        "CPU time ÷ answers in the window")
        .shown(Section::Cost, &[line("cpu_per_request", "  per request")]);
    CPU_PER_1K_TOKENS = exact("cpu_per_1k_tokens", "CPU per 1k tokens", TIME, Less,
        "CPU time per 1,000 output tokens in the window")
        .shown(Section::Cost, &[line("cpu_per_1k_tokens", "  per 1k tokens")]);
    MEMORY_PEAK = exact("memory_peak", "peak RSS", BYTES, Less, "highest resident memory of the engine's processes")
        .followed(&["memory_peak"])
        .shown(Section::Cost, &[line("memory_peak", "peak RSS")]);
    MEMORY_ANONYMOUS = exact("memory_anonymous", "anonymous RSS", BYTES, Less,
        "part of the peak that is not backed by files: heap, caches, weights that were read")
        .shown(Section::Cost, &[line("memory_anonymous", "  anonymous")]);
    MEMORY_FILE = exact("memory_file", "memory file", BYTES, Less,
        "part of the peak that is backed by files: mapped weights");
    MEMORY_WEIGHTS = exact("memory_weights", "memory weights", BYTES, Less,
        "weights, by the size of the model file: part of the peak, mapped or read")
        .shown(Section::Cost, &[line("memory_weights", "  weights (file)")]);
    MEMORY_CONTEXT = exact("memory_context", "memory context", BYTES, Less,
        "KV cache of the whole context, by the model's shape")
        .shown(Section::Cost, &[line("memory_context", "  context (KV)")]);
    MEMORY_PROMPTS = exact("memory_prompts", "memory prompts", BYTES, Less,
        "growth of memory from the start of the measured time to its peak, for an engine that caches earlier prompts")
        .shown(Section::Cost, &[line("memory_prompts", "  cached prompts")]);
    MEMORY_RATIO = exact("memory_ratio", "peak RSS ÷ model file", RATIO, Less, "peak RSS ÷ size of the model file")
        .shown(Section::Cost, &[line("memory_ratio", "  ÷ model file")]);
    MEMORY_RATIO_LOADED = exact("memory_ratio_loaded", "memory ratio loaded", RATIO, Less,
        "the same without cached prompts: weights, context, program and buffers")
        .shown(Section::Cost, &[line("memory_ratio_loaded", "  … without cached prompts")]);
    MEMORY_REST = exact("memory_rest", "memory rest", BYTES, Less, "resident memory before the first request");
    MEMORY_SHARE = exact("memory_share", "memory share", BYTES, Less,
        "highest memory by proportional share (PSS): pages shared by several processes are divided between them");
    MEMORY_SHARE_REST = exact("memory_share_rest", "memory share rest", BYTES, Less,
        "memory by proportional share (PSS) before the first request");
    MEMORY_GROWTH = one("memory_growth", "memory growth", BYTES_PER_H, Less,
        "memory growth per hour in a soak");
    GPU_MEMORY = exact("gpu_memory", "GPU memory", BYTES, Less, "highest GPU memory, all devices together")
        .shown(Section::Cost, &[line("gpu_memory", "GPU memory")]);
    ENERGY_CPU = exact("energy_cpu", "energy cpu", number(unit::JOULES), Less,
        "energy of the CPU packages in the window");
    ENERGY_GPU = exact("energy_gpu", "energy gpu", number(unit::JOULES), Less,
        "energy of the GPUs in the window");
    JOULES_PER_REQUEST = exact("joules_per_request", "joules per request", number(unit::JOULES), Less,
        "measured energy ÷ answers in the window");
    JOULES_PER_TOKEN = exact("joules_per_token", "joules per token", number(unit::JOULES), Less,
        "measured energy ÷ output tokens in the window")
        .shown(Section::Cost, &[line("joules_per_token", "energy per token")]);
    TOKENS_PER_S_PER_GIB = one("tokens_per_s_per_gib", "tokens/s per GiB",
        number(unit::TOKENS_PER_S_PER_GIB), More,
        "output tokens per second ÷ peak RSS in GiB")
        .shown(Section::Cost, &[line("tokens_per_s_per_gib", "tokens/s per GiB")]);
    THREADS = exact("threads", "threads", number(unit::THREADS), Neither, "highest number of threads of the engine's processes");
    DISK_READ_PER_REQUEST = exact("disk_read_per_request", "disk read per request", BYTES, Less,
        "bytes read from storage ÷ answers in the window");
    MINOR_FAULTS_PER_REQUEST = exact("minor_faults_per_request", "minor faults per request", number(unit::FAULTS), Less,
        "page faults without disk access ÷ answers in the window");
    MAJOR_FAULTS_PER_REQUEST = exact("major_faults_per_request", "major faults per request", number(unit::FAULTS), Less,
        "page faults with disk access ÷ answers in the window");
    VOLUNTARY_SWITCHES_PER_REQUEST = exact("voluntary_switches_per_request", "voluntary switches per request",
        number(unit::SWITCHES), Neither, "voluntary context switches ÷ answers in the window");
    INVOLUNTARY_SWITCHES_PER_REQUEST = exact("involuntary_switches_per_request", "involuntary switches per request",
        number(unit::SWITCHES), Less, "involuntary context switches ÷ answers in the window");
    MODEL_SIZE = exact("model_size", "model size", BYTES, Less, "size of the model file");

    SERVER_TOTAL = spread("server_total", "server time", TIME, Less, "total time by the engine's own clock")
        .shown(Section::Engine, &[line("server_total.p50", "server time p50")]);
    SERVER_LOAD = spread("server_load", "server load", TIME, Less,
        "time to load the model, by the engine's own clock");
    SERVER_PROMPT = spread("server_prompt", "server prompt", TIME, Less,
        "time to process the prompt, by the engine's own clock");
    SERVER_OUTPUT = spread("server_output", "server output", TIME, Less,
        "time for the output, by the engine's own clock");
    SERVER_PREFILL_PER_S = spread("server_prefill_per_s", "server prefill tokens/s", TOKEN_RATE, More,
        "prompt tokens, without cached ones, per second of prompt time, by the engine's own clock")
        .shown(Section::Engine, &[line("server_prefill_per_s.p50", "server prefill tokens/s p50")]);
    SERVER_DECODE_PER_S = spread("server_decode_per_s", "server decode tokens/s", TOKEN_RATE, More,
        "(tokens - 1) per second of output time, by the engine's own clock")
        .shown(Section::Engine, &[line("server_decode_per_s.p50", "server decode tokens/s p50")]);
    OUTSIDE_SERVER = spread("outside_server", "outside server", TIME, Less,
        "latency minus the engine's own total: queue, transport, client")
        .shown(Section::Engine, &[line("outside_server.p50", "outside server p50")]);
    COLD_LATENCY = exact("cold_latency", "cold latency", TIME, Less, "latency of the first request, before the warm-up")
        .shown(Section::Engine, &[line("cold_latency", "cold request")]);
    COLD_SERVER_LOAD = exact("cold_server_load", "cold server load", TIME, Less,
        "time to load the model for the first request, by the engine's own clock")
        .shown(Section::Engine, &[line("cold_server_load", "cold model load")]);
    COLD_ANSWER = spread("cold_answer", "cold answer", TIME, Less, "from a cold start to the end of the first answer")
        .of(Of::Run)
        .shown(Section::Engine, &[line("cold_answer.p50", "cold start p50")]);
    COLD_READY = spread("cold_ready", "cold ready", TIME, Less, "from a cold start until the engine is ready")
        .of(Of::Run)
        .shown(Section::Engine, &[line("cold_ready.p50", "  ready")]);
    COLD_FIRST_TOKEN = spread("cold_first_token", "cold first token", TIME, Less,
        "from a cold start to the first token")
        .of(Of::Run)
        .shown(Section::Engine, &[line("cold_first_token.p50", "  cold TTFT")]);
    SEND_LAG = spread("send_lag", "send lag", TIME, Less, "delay from the planned instant until loadcmp sent")
        .shown(Section::Engine, &[line("send_lag.p99", "send lag p99")]);
}
