using System.Security.Cryptography;

namespace Oriva.Realtime.Bench.Verify;

/// <summary>Keeps the apps and events of a run apart from others' on a shared deployment.</summary>
internal static class RunName
{
    public static string Create() => RandomNumberGenerator.GetHexString(8, lowercase: true);
}
