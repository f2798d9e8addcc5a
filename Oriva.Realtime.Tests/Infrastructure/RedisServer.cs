namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>The Redis that ./test.sh starts for all tests. Each test takes a prefix of its own for its channels.</summary>
internal static class RedisServer
{
    public const string Variable = "ORIVA_TEST_REDIS";

    private static int s_prefixes;

    public static (string Host, int Port) Address => Environment.GetEnvironmentVariable(Variable)?.Split(':') is [{ } host, { } port]
        ? (host, int.Parse(port))
        : throw new InvalidOperationException($"This test needs Redis. Run ./test.sh, which starts one, or set {Variable} to host:port of a throw-away server.");

    /// <param name="port">Of a proxy before it; by default its own.</param>
    public static string NewConnectionString(int? port = null) =>
        $"{Address.Host}:{port ?? Address.Port},channelPrefix=test-{Environment.ProcessId}-{Interlocked.Increment(ref s_prefixes)}:";

    public static TcpProxy StartProxy() => new(Address.Host, Address.Port);
}
