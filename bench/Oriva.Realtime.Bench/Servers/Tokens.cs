using System.Security.Cryptography;
using Oriva.Realtime.Bench.Load;

namespace Oriva.Realtime.Bench.Servers;

/// <summary>Signs tokens with the key that the hub is started with, because asking the hub for thousands of them would take longer than a round.</summary>
internal sealed class Tokens
{
    private static readonly TimeSpan s_lifetime = TimeSpan.FromDays(1);

    private readonly DateTimeOffset _expiresAt = TimeProvider.System.GetUtcNow() + s_lifetime;

    public string Key { get; } = Convert.ToBase64String(RandomNumberGenerator.GetBytes(48));

    public string Sign(string user, params string[] roles) =>
        Jwt.Sign(Key, new { sub = user, apps = new[] { OursTarget.App }, roles, exp = _expiresAt.ToUnixTimeSeconds() });
}
