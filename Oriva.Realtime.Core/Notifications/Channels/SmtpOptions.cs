namespace Oriva.Realtime.Core.Notifications.Channels;

/// <summary>How connections to the mail server are protected. None of them falls back to another.</summary>
public enum SmtpSecurity
{
    /// <summary><see cref="Tls"/> on port 465, <see cref="StartTls"/> on every other.</summary>
    Auto,

    /// <summary>Not at all.</summary>
    None,

    /// <summary>TLS after <c>STARTTLS</c>; a server that does not offer it gets no mail.</summary>
    StartTls,

    /// <summary>TLS from the first byte.</summary>
    Tls,
}

/// <summary>The mail server, and what the e-mails say of this service. Section <c>Smtp</c>; without a <see cref="Host"/> there is no e-mail.</summary>
public sealed class SmtpOptions
{
    public const string Section = "Smtp";
    public const int LeastKeyBytes = 32;

    private const int TlsPort = 465;
    private const int SubmissionPort = 587;

    public string? Host { get; set; }

    public int Port { get; set; } = SubmissionPort;

    public SmtpSecurity Security { get; set; } = SmtpSecurity.Auto;

    /// <summary>Null: the server asks for none.</summary>
    public string? UserName { get; set; }

    public string? Password { get; set; }

    /// <summary>Whom e-mails are from when the app's manifest does not say: an address, or <c>Name &lt;address&gt;</c>.</summary>
    public string? From { get; set; }

    /// <summary>Where users' mail programs reach this service, for the links that unsubscribe. Null: e-mails have no such links.</summary>
    public string? PublicUrl { get; set; }

    /// <summary>Signs those links. All nodes have the same; another one makes the links of e-mails that were sent before worthless.</summary>
    public string? UnsubscribeKey { get; set; }

    /// <summary>Connections of this node to the server at most; what is more waits for one of them.</summary>
    public int Connections { get; set; } = 8;

    /// <summary>For one e-mail, with connecting. <see cref="DeliveryOptions.Lease"/> ends it too.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>After which a connection that nothing was sent on is closed. Servers close theirs after some minutes.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromSeconds(30);

    internal SmtpSecurity EffectiveSecurity => Security == SmtpSecurity.Auto ? Port == TlsPort ? SmtpSecurity.Tls : SmtpSecurity.StartTls : Security;
}
