using BenchmarkDotNet.Running;

namespace Oriva.Realtime.Microbenchmarks;

internal static class Program
{
    /// <summary>In this process: the benchmarks see internals, and a project of BenchmarkDotNet's making would have to pass this repository's rules.</summary>
    private static void Main(string[] args) => BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args is [] or ["--list", ..] ? args : [.. args, "--inProcess"]);
}
