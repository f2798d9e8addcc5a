using System.Buffers.Text;
using System.Net;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Oriva.Realtime.Core.Apps;
using Oriva.Realtime.Core.Notifications.Channels;
using Oriva.Realtime.Core.Publishing;
using Oriva.Realtime.Core.Storage;
using Oriva.Realtime.Core.Storage.Rows;

namespace Oriva.Realtime.Core.Notifications;

/// <summary>A browser that takes web push.</summary>
public sealed record PushSubscription(Guid Id, string App, string Endpoint, DateTimeOffset CreatedAt);

/// <summary>A browser's own PushSubscription as JSON, and the app that it is for.</summary>
public sealed record PushSubscriptionRequest(string? App, string? Endpoint, PushKeys? Keys = null, string? UserAgent = null);

/// <param name="P256dh">The browser's public key.</param>
/// <param name="Auth">A secret of 16 bytes; both base64url.</param>
public sealed record PushKeys(string? P256dh, string? Auth);

/// <summary>Which browsers take web push for which user of an app: the one who used the browser last.</summary>
public sealed class PushSubscriptions
{
    public const int MostPerUser = 20;
    private const int MaxEndpoint = 2_000;
    private const int MaxUserAgent = 500;
    private const int AuthBytes = 16;
    private const int MostRetries = 10;

    private readonly RealtimeDatabase _database;
    private readonly AccessPolicy _access;
    private readonly WebPushOptions _options;
    private readonly TimeProvider _time;

    internal PushSubscriptions(RealtimeDatabase database, AccessPolicy access, IOptions<WebPushOptions> options, TimeProvider time)
    {
        _database = database;
        _access = access;
        _options = options.Value;
        _time = time;
    }

    /// <summary>What browsers subscribe with; null: there is no web push here.</summary>
    public string? PublicKey => _options.IsConfigured ? _options.PublicKey : null;

    /// <summary>The same browser again is the same subscription, unless another user had it: then it is a new one, and what waits for that user is not sent there.</summary>
    public async Task<Outcome<PushSubscription>> PutAsync(Caller caller, PushSubscriptionRequest request, CancellationToken cancellationToken)
    {
        if (await _access.EnterAsync(caller, request.App, cancellationToken) is { } refused)
            return refused;
        if (!_options.IsConfigured)
            return Fault.NotFound;
        var faults = new FaultList();
        var keys = Check(request, faults);
        if (!faults.IsEmpty)
            return faults.ToFault();
        for (var retry = 0; ; retry++)
        {
            try
            {
                return await StoreAsync(caller.Sub, request, keys, cancellationToken);
            }
            catch (DbUpdateException e) when (!StoreOutage.Is(e) && retry < MostRetries)
            {
                // The same browser was stored or removed at the same moment: what is there now is looked at again.
            }
        }
    }

    /// <returns>Not found: there is none, or none of the caller's.</returns>
    public async Task<Fault?> RemoveAsync(Caller caller, string? app, string? endpoint, CancellationToken cancellationToken)
    {
        if (await _access.EnterAsync(caller, app, cancellationToken) is { } refused)
            return refused;
        if (endpoint is null || !JsonText.IsStorable(endpoint))
            return Fault.NotFound;
        var id = await _database.ReadAsync(
            new ReadScope(caller.Sub, [app!], [], Whole: false),
            context => context.PushSubscriptions.Where(row => row.App == app && row.UserId == caller.Sub && row.Endpoint == endpoint).Select(row => (Guid?)row.Id)
                .FirstOrDefaultAsync(cancellationToken),
            cancellationToken);
        await using var context = _database.ForService();
        return id is not null && await context.PushSubscriptions.Where(row => row.Id == id).ExecuteDeleteAsync(cancellationToken) > 0 ? null : Fault.NotFound;
    }

    private async Task<PushSubscription> StoreAsync(string userId, PushSubscriptionRequest request, PushKeys keys, CancellationToken cancellationToken)
    {
        var app = request.App!;
        await using var context = _database.ForService();
        var row = await context.PushSubscriptions.FirstOrDefaultAsync(stored => stored.App == app && stored.Endpoint == request.Endpoint, cancellationToken);
        if (row is not null && row.UserId != userId)
        {
            context.PushSubscriptions.Remove(row);
            row = null;
        }

        if (row is null)
        {
            var own = await context.PushSubscriptions.Where(stored => stored.App == app && stored.UserId == userId).ToListAsync(cancellationToken);
            context.PushSubscriptions.RemoveRange(own.OrderByDescending(stored => stored.CreatedAt).ThenByDescending(stored => stored.Id).Skip(MostPerUser - 1));
            row = new PushSubscriptionRow
            {
                Id = Guid.CreateVersion7(_time.GetUtcNow()),
                App = app,
                UserId = userId,
                Endpoint = request.Endpoint!,
                P256dh = keys.P256dh!,
                Auth = keys.Auth!,
                CreatedAt = StoreTime.Truncate(_time.GetUtcNow()),
            };
            context.PushSubscriptions.Add(row);
        }

        (row.P256dh, row.Auth, row.UserAgent) = (keys.P256dh!, keys.Auth!, request.UserAgent);
        await context.SaveChangesAsync(cancellationToken);
        return new PushSubscription(row.Id, row.App, row.Endpoint, row.CreatedAt);
    }

    /// <returns>The keys as they are stored.</returns>
    private PushKeys Check(PushSubscriptionRequest request, FaultList faults)
    {
        if (string.IsNullOrEmpty(request.Endpoint))
            faults.Add(FaultCodes.Invalid, "/endpoint", "Required.");
        else if (request.Endpoint.Length > MaxEndpoint)
            faults.Add(FaultCodes.TooLarge, "/endpoint", $"At most {MaxEndpoint} characters.");
        else if (!IsEndpoint(request.Endpoint))
            faults.Add(FaultCodes.Invalid, "/endpoint", "Must be the https address of a push service.");
        var p256dh = P256.ReadPublicKey(request.Keys?.P256dh);
        if (p256dh is null)
            faults.Add(FaultCodes.Invalid, "/keys/p256dh", "Must be base64url of an uncompressed point on P-256, 65 bytes.");
        var auth = P256.ReadBytes(request.Keys?.Auth);
        if (auth is not { Length: AuthBytes })
            faults.Add(FaultCodes.Invalid, "/keys/auth", $"Must be base64url of {AuthBytes} bytes.");
        if (request.UserAgent?.Length > MaxUserAgent)
            faults.Add(FaultCodes.TooLarge, "/userAgent", $"At most {MaxUserAgent} characters.");
        else if (request.UserAgent is { } userAgent && !JsonText.IsStorable(userAgent))
            faults.Add(FaultCodes.Invalid, "/userAgent", "Texts must not contain \\u0000 or half of a surrogate pair.");
        return new PushKeys(p256dh, auth is null ? null : Base64Url.EncodeToString(auth));
    }

    /// <summary>An address that is not public is refused here where it shows; one behind a name when it is connected to.</summary>
    private bool IsEndpoint(string endpoint) =>
        endpoint.All(letter => letter is > ' ' and <= '~')
        && Uri.TryCreate(endpoint, UriKind.Absolute, out var uri) && uri.UserInfo.Length == 0 && uri.Host.Length > 0
        && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && _options.AllowPrivateAddresses))
        && (_options.AllowPrivateAddresses || !IPAddress.TryParse(uri.IdnHost, out var address) || PublicAddress.Is(address));
}
