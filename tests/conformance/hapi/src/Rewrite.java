import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import org.hl7.fhir.r4.formats.IParser.OutputStyle;
import org.hl7.fhir.r4.formats.JsonParser;
import org.hl7.fhir.r4.formats.XmlParser;

/**
 * Lines of "json" or "xml", a TAB and a resource in that format in base64; one line for each, in the same
 * order: the resource in the other format in base64, or "! " and why not. HL7's own parsers.
 */
public final class Rewrite {

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (in) {
            List<String> page;
            while (!(page = in.lines().limit(1000).toList()).isEmpty()) {
                page.parallelStream().map(Rewrite::rewritten).toList().forEach(out::println);
            }
        }
        out.flush();
    }

    private static String rewritten(String line) {
        var parts = line.split("\t");
        var body = Base64.getDecoder().decode(parts[1]);
        try {
            var json = new JsonParser();
            var xml = new XmlParser();
            json.setOutputStyle(OutputStyle.NORMAL);
            xml.setOutputStyle(OutputStyle.NORMAL);
            var written = parts[0].equals("json")
                    ? xml.composeBytes(json.parse(body))
                    : json.composeBytes(xml.parse(body));
            return Base64.getEncoder().encodeToString(written);
        } catch (Exception | StackOverflowError problem) {
            return "! " + String.valueOf(problem.getMessage()).replace('\n', ' ');
        }
    }
}
