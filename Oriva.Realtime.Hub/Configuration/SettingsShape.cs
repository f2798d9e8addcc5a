using System.Globalization;
using System.Reflection;
using Oriva.Realtime.Core.Notifications.Channels;

namespace Oriva.Realtime.Hub.Configuration;

/// <summary>
/// Holds a section against the options that it is bound to: no key that the options lack (a typing error would silently leave a default in force), and no
/// value that is not of the option's type or is outside its range.
/// </summary>
internal static class SettingsShape
{
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(1);
    private static readonly Dictionary<string, TimeSpan> s_longer = new(StringComparer.Ordinal) { ["WebPush:TimeToLive"] = WebPushOptions.LongestTimeToLive };

    /// <param name="options">The types that share the section; or one dictionary, whose keys are the operator's to choose.</param>
    /// <param name="ranges">By key; other numbers go from 1 upwards.</param>
    /// <param name="hidden">Properties that are not settings.</param>
    public static void Check(
        IConfigurationSection section, Type[] options, IReadOnlyDictionary<string, (int Least, int Most)> ranges, string[] hidden, List<string> faults)
    {
        if (options is [{ IsGenericType: true } dictionary] && dictionary.GetGenericTypeDefinition() == typeof(Dictionary<,>))
        {
            foreach (var entry in section.GetChildren())
                Check(entry, [dictionary.GetGenericArguments()[1]], ranges, hidden, faults);
            return;
        }

        var properties = options
            .SelectMany(type => type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
            .Where(property => property.SetMethod is { IsPublic: true } && !hidden.Contains(property.Name))
            .ToDictionary(property => property.Name, StringComparer.OrdinalIgnoreCase);
        foreach (var child in section.GetChildren())
        {
            if (!properties.TryGetValue(child.Key, out var property))
            {
                var known = properties.Values.Select(other => other.Name).Order(StringComparer.Ordinal);
                faults.Add($"{child.Path} is not a setting; {section.Path} has {string.Join(", ", known)}.");
                continue;
            }

            var key = $"{section.Path}:{property.Name}";
            var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            if (type.IsClass && type != typeof(string))
                Check(child, [type], ranges, hidden, faults);
            else if (child.GetChildren().Any())
                faults.Add($"{key} must be one value, not a list or an object.");
            else if (Complain(key, type, child.Value ?? "", ranges.TryGetValue(key, out var range) ? range : (1, int.MaxValue)) is { } complaint)
                faults.Add($"{key} must be {complaint}, not '{child.Value}'.");
        }
    }

    /// <returns>What the value should be; null: it is.</returns>
    private static string? Complain(string key, Type type, string value, (int Least, int Most) range)
    {
        if (type == typeof(int))
            return int.TryParse(value, CultureInfo.InvariantCulture, out var number) && number >= range.Least && number <= range.Most ? null : Describe(range);
        if (type == typeof(bool))
            return bool.TryParse(value, out _) ? null : "true or false";
        if (type.IsEnum)
            return value.Length == 0 || Enum.GetNames(type).Contains(value, StringComparer.OrdinalIgnoreCase) ? null : string.Join(" or ", Enum.GetNames(type));

        // A bare number would be read as days, which nobody means.
        if (type == typeof(TimeSpan))
        {
            var longest = s_longer.GetValueOrDefault(key, s_longest);
            var isTime = value.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParse(value, CultureInfo.InvariantCulture, out var time)
                && time > TimeSpan.Zero && time <= longest;
            return isTime ? null : $"a time such as 00:00:05, up to {longest:c}";
        }

        return null;
    }

    private static string Describe((int Least, int Most) range) =>
        range.Most == int.MaxValue ? $"a whole number from {range.Least}" : $"a whole number from {range.Least} to {range.Most}";
}
