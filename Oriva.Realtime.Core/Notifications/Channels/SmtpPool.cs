using System.Net.Security;
using MailKit.Net.Smtp;
using MailKit.Security;
using Microsoft.Extensions.Options;

namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>Connections to the mail server that are kept between e-mails: making one costs several round trips and a login.</summary>
/// <remarks>
/// There are never more than <see cref="SmtpOptions.Connections"/>. A kept one is asked whether it is still there before it is used, because servers close
/// idle connections as they like: that costs a round trip, and not an attempt.
/// </remarks>
internal sealed class SmtpPool : IAsyncDisposable
{
    private static readonly TimeSpan s_farewell = TimeSpan.FromSeconds(2);

    private readonly SmtpOptions _options;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _slots;
    private readonly ITimer _closing;
    private readonly Lock _lock = new();

    // The one that was used last is taken first, so that with little to do the others grow old and are closed.
    private readonly List<(SmtpClient Client, long Since)> _idle = [];
    private bool _disposed;

    public SmtpPool(IOptions<SmtpOptions> options, TimeProvider time)
    {
        _options = options.Value;
        _time = time;
        _slots = new SemaphoreSlim(_options.Connections);
        _closing = time.CreateTimer(_ => CloseOld(), null, _options.IdleTimeout, _options.IdleTimeout);
    }

    /// <summary>Null: as the operating system judges certificates.</summary>
    public RemoteCertificateValidationCallback? CertificateCheck { get; init; }

    /// <summary>When all are in use.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => _slots.WaitAsync(cancellationToken);

    /// <summary>After <see cref="WaitAsync"/>, whatever came of it.</summary>
    public void Release() => _slots.Release();

    /// <summary>A connection that is ready to send, for <see cref="Keep"/> or <see cref="IDisposable.Dispose"/>.</summary>
    public async Task<SmtpClient> OpenAsync(CancellationToken cancellationToken)
    {
        if (TakeIdle() is { } kept)
        {
            if (await AnswersAsync(kept, cancellationToken))
                return kept;
            // What closed this one has likely closed the others too: to ask each would take its time.
            await CloseAsync(TakeIdle(_ => true));
        }

        var client = new SmtpClient { CheckCertificateRevocation = false, ServerCertificateValidationCallback = CertificateCheck };
        try
        {
            await client.ConnectAsync(_options.Host!, _options.Port, _options.EffectiveSecurity switch
            {
                SmtpSecurity.Tls => SecureSocketOptions.SslOnConnect,
                SmtpSecurity.StartTls => SecureSocketOptions.StartTls,
                _ => SecureSocketOptions.None,
            }, cancellationToken);
            if (_options.UserName is not null)
                await client.AuthenticateAsync(_options.UserName, _options.Password ?? "", cancellationToken);
            return client;
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    public void Keep(SmtpClient client)
    {
        lock (_lock)
        {
            if (!_disposed)
            {
                _idle.Add((client, _time.GetTimestamp()));
                return;
            }
        }

        client.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        lock (_lock)
            _disposed = true;
        await _closing.DisposeAsync();
        await CloseAsync(TakeIdle(_ => true));
        _slots.Dispose();
    }

    private SmtpClient? TakeIdle()
    {
        lock (_lock)
        {
            if (_idle.Count == 0)
                return null;
            var client = _idle[^1].Client;
            _idle.RemoveAt(_idle.Count - 1);
            return client;
        }
    }

    private List<SmtpClient> TakeIdle(Func<long, bool> which)
    {
        lock (_lock)
        {
            var taken = _idle.Where(idle => which(idle.Since)).Select(idle => idle.Client).ToList();
            _idle.RemoveAll(idle => which(idle.Since));
            return taken;
        }
    }

    /// <summary>A firewall may have forgotten the connection, so that no answer ever comes: a part of the time is enough to find out.</summary>
    private async Task<bool> AnswersAsync(SmtpClient client, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(_options.Timeout / 4, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await client.NoOpAsync(either.Token);
            return true;
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            client.Dispose();
            return false;
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    private void CloseOld()
    {
        var now = _time.GetTimestamp();
        _ = CloseAsync(TakeIdle(since => _time.GetElapsedTime(since, now) >= _options.IdleTimeout));
    }

    private static Task CloseAsync(List<SmtpClient> clients) => Task.WhenAll(clients.Select(async client =>
    {
        using (client)
        {
            using var patience = new CancellationTokenSource(s_farewell);
            await client.DisconnectAsync(quit: true, patience.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }));
}
