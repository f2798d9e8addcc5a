using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using MimeKit;

namespace Oriva.Realtime.Tests.Infrastructure;

/// <summary>A mail as a server took it.</summary>
internal sealed record ReceivedMail(string From, IReadOnlyList<string> To, string Raw)
{
    public MimeMessage Message { get; } = MimeMessage.Load(new MemoryStream(Encoding.Latin1.GetBytes(Raw)));

    /// <summary>Its headers as they crossed the network, one a line.</summary>
    public string Headers => Raw[..Raw.IndexOf("\r\n\r\n", StringComparison.Ordinal)];

    /// <summary>Of a header, unfolded; null: the mail has none.</summary>
    public string? Header(string name) => Message.Headers[name];
}

/// <summary>An SMTP server on the loopback interface that answers what the test says, and keeps what it was told.</summary>
internal sealed class MailServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentQueue<ReceivedMail> _mails = new();
    private readonly ConcurrentQueue<string> _commands = new();
    private readonly ConcurrentDictionary<Socket, bool> _open = new();
    private readonly Task _accepting;
    private int _connections;

    public MailServer()
    {
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>Another answer to a command than usual: <c>close</c> ends the connection, <c>hang</c> says nothing; null: the usual. The first of all is <c>(connect)</c>, and the end of a mail <c>(mail)</c>.</summary>
    public Func<string, string?> Answer { get; set; } = _ => null;

    /// <summary>Offered after STARTTLS, or from the first byte.</summary>
    public X509Certificate2? Certificate { get; init; }

    public bool IsTlsFromTheStart { get; init; }

    /// <summary>Who may send, <c>user:password</c>; null: everybody.</summary>
    public string? Login { get; init; }

    public IReadOnlyCollection<ReceivedMail> Mails => _mails;

    public IReadOnlyCollection<string> Commands => _commands;

    /// <summary>That were made, ever.</summary>
    public int Connections => _connections;

    public int OpenConnections => _open.Count;

    /// <summary>For localhost, by nobody whom anybody trusts.</summary>
    public static X509Certificate2 NewCertificate()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var made = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null);
    }

    public void Forget() => _mails.Clear();

    /// <summary>As servers do with connections that are idle.</summary>
    public void CloseConnections()
    {
        foreach (var socket in _open.Keys)
            socket.Close();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        CloseConnections();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            var socket = await _listener.AcceptSocketAsync(_stopping.Token);
            Interlocked.Increment(ref _connections);
            _open[socket] = true;
            _ = Task.Run(async () =>
            {
                try
                {
                    await ServeAsync(socket);
                }
                catch (Exception e) when (e is IOException or ObjectDisposedException or OperationCanceledException or SocketException or System.Security.Authentication.AuthenticationException)
                {
                    // The connection has ended.
                }
                finally
                {
                    _open.TryRemove(socket, out _);
                    socket.Dispose();
                }
            });
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        Stream stream = new NetworkStream(socket);
        if (IsTlsFromTheStart)
            stream = await ProtectAsync(stream);
        var isSecure = IsTlsFromTheStart;
        var (from, to) = ("", new List<string>());
        var isKnown = Login is null;
        if (!await SayAsync(stream, "(connect)", "220 mail.example ESMTP"))
            return;
        while (await ReadLineAsync(stream) is { } line)
        {
            _commands.Enqueue(line);
            var verb = line.Split(' ', ':')[0].ToUpperInvariant();
            string answer;
            switch (verb)
            {
                case "EHLO":
                    string[] offers = ["250-mail.example", .. Certificate is not null && !isSecure ? ["250-STARTTLS"] : Array.Empty<string>(), .. Login is null ? Array.Empty<string>() : ["250-AUTH PLAIN"], "250 8BITMIME"];
                    answer = string.Join("\r\n", offers);
                    break;
                case "AUTH":
                    isKnown = Encoding.UTF8.GetString(Convert.FromBase64String(line.Split(' ')[^1])) == "\0" + Login!.Replace(':', '\0');
                    answer = isKnown ? "235 welcome" : "535 5.7.8 Authentication credentials invalid";
                    break;
                case "MAIL":
                    (from, to) = (line, []);
                    answer = isKnown ? "250 ok" : "530 5.7.0 Authentication required";
                    break;
                case "RCPT":
                    to.Add(line[(line.IndexOf('<', StringComparison.Ordinal) + 1)..line.IndexOf('>', StringComparison.Ordinal)]);
                    answer = "250 ok";
                    break;
                case "DATA":
                    if (!await SayAsync(stream, line, "354 go ahead"))
                        return;
                    var raw = new StringBuilder();
                    while (await ReadLineAsync(stream) is { } text && text != ".")
                    {
                        if (Answer("(data)") == "close")
                            return;
                        raw.Append(text.StartsWith('.') ? text[1..] : text).Append("\r\n");
                    }

                    var isTaken = Answer("(mail)") is null or "close-after";
                    if (isTaken)
                        _mails.Enqueue(new ReceivedMail(from, to, raw.ToString()));
                    if (!await SayAsync(stream, "(mail)", "250 taken"))
                        return;
                    continue;
                default:
                    answer = verb == "STARTTLS" ? "220 go ahead" : verb == "QUIT" ? "221 bye" : "250 ok";
                    break;
            }

            if (!await SayAsync(stream, line, answer) || verb == "QUIT")
                return;
            if (verb == "STARTTLS" && Certificate is not null)
                (stream, isSecure) = (await ProtectAsync(stream), true);
        }
    }

    private async Task<Stream> ProtectAsync(Stream stream)
    {
        var secure = new SslStream(stream);
        await secure.AuthenticateAsServerAsync(Certificate!);
        return secure;
    }

    private async Task<bool> SayAsync(Stream stream, string command, string usual)
    {
        var answer = Answer(command) ?? usual;
        if (answer == "close")
            return false;
        if (answer == "hang")
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, _stopping.Token);
        await stream.WriteAsync(Encoding.ASCII.GetBytes((answer == "close-after" ? usual : answer) + "\r\n"), _stopping.Token);
        return answer != "close-after";
    }

    private async Task<string?> ReadLineAsync(Stream stream)
    {
        var line = new List<byte>();
        var one = new byte[1];
        while (await stream.ReadAsync(one, _stopping.Token) > 0)
        {
            if (one[0] == '\n')
                return Encoding.Latin1.GetString([.. line]).TrimEnd('\r');
            line.Add(one[0]);
        }

        return null;
    }
}
