//! `loadcmp demo`: what a first comparison of real engines needs.

use super::{CommandResult, block_on, say};
use clap::Subcommand;
use loadcmp::run::{Install, demo_install};
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct DemoArgs {
    #[command(subcommand)]
    command: DemoCommand,
}

#[derive(Subcommand)]
enum DemoCommand {
    /// Load a GGUF file into a running Ollama, and print the commands to serve the same file with llama-server and to
    /// compare both.
    ///
    /// The file is checked first: not truncated, a model, and small enough for the available memory. It is sent through
    /// Ollama's API (/api/blobs, /api/create) and loaded once. If the file's chat template adds a default system
    /// message, the model gets the same one, so that Ollama renders prompts as llama-server does.
    #[command(after_help = crate::EXIT_CODES)]
    Install(InstallArgs),
}

#[derive(clap::Args)]
struct InstallArgs {
    /// The model file (GGUF)
    #[arg(value_name = "FILE.gguf")]
    file: PathBuf,
    /// Address of Ollama
    #[arg(long, value_name = "URL", default_value = "127.0.0.1:11434")]
    ollama: String,
    /// Name of the model in Ollama. Default: from the file name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// System message of the model. Default: the one in the file's chat template
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Template of the model, in Ollama's syntax. Default: Ollama chooses one from the file's
    #[arg(long, value_name = "TEXT")]
    template: Option<String>,
    /// Send the file to an Ollama on another machine
    #[arg(long)]
    allow_remote: bool,
    /// Replace an existing model of that name
    #[arg(long)]
    replace: bool,
    /// Load a file that is larger than the available memory
    #[arg(long)]
    anyway: bool,
    /// Print only the result
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn demo(args: DemoArgs) -> CommandResult {
    let DemoCommand::Install(args) = args.command;
    let asked = Install {
        ollama: args.ollama,
        file: args.file,
        name: args.name,
        system: args.system,
        template: args.template,
        allow_remote: args.allow_remote,
        replace: args.replace,
        anyway: args.anyway,
        quiet: args.quiet,
    };
    let done = block_on(demo_install(&asked))??;
    let mut text =
        format!("{}\n\nThe same file in llama-server, with the same settings:\n  {}\n\n", done.what, done.serve);
    text += &format!("The comparison:\n  {}\n", done.compare);
    for note in &done.notes {
        text += &format!("\n{note}\n");
    }
    say(&text)?;
    Ok(0)
}
