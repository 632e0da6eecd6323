import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.SnapshotGeneratingValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.UnknownCodeSystemWarningValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.r5.utils.validation.constants.BestPracticeWarningLevel;

/**
 * NDJSON on stdin, one resource a line; one line of result on stdout for each, in the same order: the
 * errors as "message id TAB location TAB message", joined by " | ", or an empty line. They are answered
 * by the thousand, or as soon as an empty line comes.
 */
public final class Validate {

    public static void main(String[] arguments) throws Exception {
        FhirValidator validator = validator(FhirContext.forR4());
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (in) {
            List<String> page;
            while (!(page = page(in)).isEmpty()) {
                page.parallelStream().map(line -> errors(validator, line)).toList().forEach(out::println);
                out.flush();
            }
        }
    }

    private static List<String> page(BufferedReader in) throws IOException {
        var page = new ArrayList<String>();
        String line;
        while (page.size() < 1000 && (line = in.readLine()) != null) {
            if (!line.isEmpty()) {
                page.add(line);
            } else if (!page.isEmpty()) {
                break;
            }
        }
        return page;
    }

    private static FhirValidator validator(FhirContext context) {
        var unknown = new UnknownCodeSystemWarningValidationSupport(context);
        // LOINC, ICD-10 and the local systems are not in the package: what it cannot know is no error.
        unknown.setNonExistentCodeSystemSeverity(
                ca.uhn.fhir.context.support.IValidationSupport.IssueSeverity.WARNING);
        var chain = new ValidationSupportChain(
                new DefaultProfileValidationSupport(context),
                new CommonCodeSystemsTerminologyService(context),
                new InMemoryTerminologyServerValidationSupport(context),
                new SnapshotGeneratingValidationSupport(context),
                unknown);
        var module = new FhirInstanceValidator(chain);
        module.setBestPracticeWarningLevel(BestPracticeWarningLevel.Ignore);
        module.setAnyExtensionsAllowed(true);
        module.setAssumeValidRestReferences(true); // "Patient/1" is a Patient: only then are targets checked
        return context.newValidator().registerValidatorModule(module);
    }

    private static String errors(FhirValidator validator, String line) {
        try {
            return found(validator, line);
        } catch (RuntimeException | StackOverflowError problem) {
            return "exception\t\t" + problem.getClass().getSimpleName(); // one resource delays no other
        }
    }

    private static String found(FhirValidator validator, String line) {
        return validator.validateWithResult(line).getMessages().stream()
                .filter(one -> one.getSeverity().compareTo(ResultSeverityEnum.ERROR) >= 0)
                .map(Validate::said)
                .collect(Collectors.joining(" | "));
    }

    private static String said(SingleValidationMessage one) {
        String words = one.getMessageId() + "\t" + one.getLocationString() + "\t" + one.getMessage();
        return words.replace('\n', ' ').replace('\r', ' ').replace('|', '/');
    }
}
