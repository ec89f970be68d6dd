//! The thin binary: everything is in the library.

fn main() -> std::process::ExitCode {
    xml_stream_aggregator::tools::main()
}
