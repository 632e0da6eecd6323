import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.fhir.ucum.Decimal;
import org.fhir.ucum.UcumEssenceService;
import org.fhir.ucum.UcumException;

/**
 * Lines of "value TAB unit TAB unit" on stdin; on stdout the value in the second unit, or "none", one a line:
 * what the UCUM implementation of HL7's validator says.
 */
public final class Convert {

    public static void main(String[] arguments) throws Exception {
        var service = new UcumEssenceService(Convert.class.getResourceAsStream("/ucum-essence.xml"));
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        in.lines().map(line -> converted(service, line.split("\t"))).forEach(System.out::println);
    }

    private static String converted(UcumEssenceService service, String[] asked) {
        try {
            return service.convert(new Decimal(asked[0]), asked[1], asked[2]).asDecimal();
        } catch (UcumException | RuntimeException problem) {
            return "none";
        }
    }
}
