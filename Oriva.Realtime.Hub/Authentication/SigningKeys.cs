using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Oriva.Realtime.Hub.Authentication;

/// <summary>
/// The identity provider's keys, fetched when first needed and kept. In place of the stock <c>ConfigurationManager</c>, which refuses the first token that a
/// new key has signed (it refreshes behind the request), and during an outage lets every request wait for a fetch of its own.
/// </summary>
/// <remarks>
/// <para>1. Keys younger than <see cref="s_lifetime"/> are answered at once; older ones too, while new ones are fetched meanwhile.</para>
/// <para>2. After <see cref="RequestRefresh"/>, which follows a token that no known key fits, the next call waits for new keys. That happens at most once in
/// <see cref="s_refresh"/>, so that invented key ids cannot flood the provider.</para>
/// <para>3. There is one fetch at a time; whoever needs its outcome waits for it.</para>
/// <para>4. When it fails, the old keys stay. Without any, calls fail with <see cref="SigningKeysUnavailableException"/>, for <see cref="s_pause"/> without
/// another attempt.</para>
/// </remarks>
internal sealed partial class SigningKeys(
    string address, IConfigurationRetriever<OpenIdConnectConfiguration> retriever, IDocumentRetriever documents, TimeProvider time, ILogger logger)
    : BaseConfigurationManager, IConfigurationManager<OpenIdConnectConfiguration>
{
    private static readonly TimeSpan s_lifetime = TimeSpan.FromHours(1);
    private static readonly TimeSpan s_refresh = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private OpenIdConnectConfiguration? _current;
    private Task<OpenIdConnectConfiguration>? _fetch;
    private SigningKeysUnavailableException? _failure;
    private bool _refreshRequested;

    // The end of the last fetch, whatever its outcome.
    private long _fetchedAt;

    /// <summary>Set when the last fetch failed, so that a key which is not known here may be a good one.</summary>
    public SigningKeysUnavailableException? Failure
    {
        get
        {
            lock (_lock)
                return _failure;
        }
    }

    public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(CancellationToken cancel)
    {
        Task<OpenIdConnectConfiguration> fetch;
        lock (_lock)
        {
            if (_current is { } current && !_refreshRequested)
            {
                var patience = _failure is null ? s_lifetime : s_refresh;
                if (time.GetElapsedTime(_fetchedAt) >= patience)
                    _ = StartFetch();
                return current;
            }

            if (_current is null && _fetch is null && _failure is not null && time.GetElapsedTime(_fetchedAt) < s_pause)
                throw _failure;
            fetch = StartFetch();
        }

        // The fetch serves others as well: who gives up leaves it running.
        return await fetch.WaitAsync(cancel);
    }

    public override async Task<BaseConfiguration> GetBaseConfigurationAsync(CancellationToken cancel) => await GetConfigurationAsync(cancel);

    public override void RequestRefresh()
    {
        lock (_lock)
        {
            if (_current is not null && time.GetElapsedTime(_fetchedAt) >= s_refresh)
                _refreshRequested = true;
        }
    }

    private Task<OpenIdConnectConfiguration> StartFetch() => _fetch ??= Task.Run(FetchAsync);

    private async Task<OpenIdConnectConfiguration> FetchAsync()
    {
        OpenIdConnectConfiguration? fetched = null;
        Exception? error = null;
        try
        {
            fetched = await retriever.GetConfigurationAsync(address, documents, CancellationToken.None);
            if (fetched.SigningKeys.Count == 0)
                throw new InvalidOperationException("it has no signing keys");
            LogFetched(fetched.SigningKeys.Count, address);
        }
        catch (Exception e)
        {
            error = e;
            LogFailed(address, e.InnerException?.Message ?? e.Message);
        }

        lock (_lock)
        {
            _fetch = null;
            _refreshRequested = false;
            _fetchedAt = time.GetTimestamp();
            _failure = error is null ? null : new SigningKeysUnavailableException(address, error);
            _current = error is null ? fetched : _current;
            return _current ?? throw _failure!;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Fetched {Count} signing keys from {Address}")]
    private partial void LogFetched(int count, string address);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The signing keys cannot be fetched from {Address}: {Reason}")]
    private partial void LogFailed(string address, string reason);
}

/// <summary>Whether a token is good cannot be said at the moment.</summary>
internal sealed class SigningKeysUnavailableException(string address, Exception inner) : Exception($"No signing keys from {address}.", inner);

/// <summary>OpenID discovery. A configured issuer takes the place of the provider's own.</summary>
internal sealed class DiscoveryRetriever(string? issuer) : IConfigurationRetriever<OpenIdConnectConfiguration>
{
    public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(string address, IDocumentRetriever retriever, CancellationToken cancel)
    {
        var discovered = await OpenIdConnectConfigurationRetriever.GetAsync(address, retriever, cancel);
        discovered.Issuer = issuer ?? discovered.Issuer;
        return discovered;
    }
}

/// <summary>A JWKS document alone (RFC 7517).</summary>
internal sealed class JwksRetriever(string? issuer) : IConfigurationRetriever<OpenIdConnectConfiguration>
{
    public async Task<OpenIdConnectConfiguration> GetConfigurationAsync(string address, IDocumentRetriever retriever, CancellationToken cancel)
    {
        var keys = JsonWebKeySet.Create(await retriever.GetDocumentAsync(address, cancel));
        var configuration = new OpenIdConnectConfiguration { Issuer = issuer, JwksUri = address, JsonWebKeySet = keys };
        foreach (var key in keys.GetSigningKeys())
            configuration.SigningKeys.Add(key);
        return configuration;
    }
}
