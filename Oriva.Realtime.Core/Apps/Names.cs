using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using MimeKit;

namespace Oriva.Realtime.Core.Apps;

/// <summary>The forms that the contract gives to ids, topics, types and patterns.</summary>
public static partial class Names
{
    public const int MaxIdLength = 128;

    private static readonly ParserOptions s_strictMailbox = new() { AllowAddressesWithoutDomain = false, AddressParserComplianceMode = RfcComplianceMode.Strict };

    public static bool IsApp(string? value) => value is not null && App().IsMatch(value);

    public static bool IsTopic(string? value) => value is not null && Topic().IsMatch(value);

    public static bool IsEventType(string? value) => value is { Length: <= MaxIdLength } && EventType().IsMatch(value);

    /// <summary>An e-mail address, alone or behind a name: <c>Live Mixers &lt;news@mixers.example&gt;</c>.</summary>
    public static bool IsMailbox(string? value) => ParseMailbox(value) is not null;

    /// <returns>Null: it is not one address that mail can be sent to.</returns>
    internal static MailboxAddress? ParseMailbox(string? value) =>
        value is not null && !value.Any(char.IsControl) && MailboxAddress.TryParse(s_strictMailbox, value, out var mailbox) ? mailbox : null;

    /// <summary>User and event ids: 1 to 128 printable characters without space or '/'.</summary>
    public static bool IsId(string? value)
    {
        if (value is not { Length: > 0 and <= MaxIdLength })
            return false;
        foreach (var rune in value.EnumerateRunes())
        {
            // A lone surrogate enumerates as U+FFFD, which no id may carry either. Invisible characters would make two ids look the same.
            if (rune.Value is '/' or 0xFFFD || Rune.IsWhiteSpace(rune) || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
                or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned)
                return false;
        }

        return true;
    }

    [GeneratedRegex(@"\A[a-z0-9][a-z0-9-]{1,62}\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)]
    private static partial Regex App();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._:-]{0,127}\z", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)]
    private static partial Regex Topic();

    [GeneratedRegex(@"\A[a-z][a-z0-9_]*(\.[a-z0-9_]+)*\z", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)]
    private static partial Regex EventType();
}
