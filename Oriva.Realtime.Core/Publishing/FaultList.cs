namespace Oriva.Realtime.Core.Publishing;

/// <summary>Collects the faults of one request, each at its JSON pointer.</summary>
internal sealed class FaultList
{
    private readonly List<(string Code, string Pointer, string Message)> _faults = [];

    public bool IsEmpty => _faults.Count == 0;

    public int Count => _faults.Count;

    public void Add(string code, string pointer, string message) => _faults.Add((code, pointer, message));

    /// <summary>One fault for all: their common code, or <c>invalid</c> where they differ.</summary>
    public Fault ToFault()
    {
        var codes = _faults.Select(fault => fault.Code).Distinct().ToList();
        var message = _faults.Count == 1 ? Sentence(_faults[0]) : $"{_faults.Count} faults; nothing was done.";
        return new Fault(codes.Count == 1 ? codes[0] : FaultCodes.Invalid, message,
            _faults.GroupBy(fault => fault.Pointer).ToDictionary(at => at.Key, at => at.Select(fault => fault.Message).ToArray()));
    }

    private static string Sentence((string Code, string Pointer, string Message) fault) =>
        fault.Pointer.Length == 0 ? fault.Message : $"{fault.Pointer}: {fault.Message}";
}
